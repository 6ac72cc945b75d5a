"""What an accepted answer complains of: ordinary good answers have no warning, and real complaints have one."""

import pytest

from portal.rules.complaints import without_echo
from portal.rules.payload import encode_body
from portal.rules.verdict import judge

GOOD = r"""
{"result":"nenhum erro"}
{"result":"nenhuma falha"}
{"status":"0 errors"}
{"status":"ok","result":"0 invalid"}
{"result":"1 ok, 0 failed"}
{"resultado":"0 erros, 1 contato salvo"}
{"status":"Processado com 0 erros"}
{"status":"não rejeitado"}
{"result":"nothing failed"}
{"id":7,"status":"Rejeitado"}
{"id":7,"status":"Errors: 0"}
{"data":{"id":1,"status":"Recusado"}}
{"situacao":"Negado","id":3}
{"id":10,"name":"Ana","status":"Inválido"}
{"status":"not found, created"}
{"state":"ko-fi"}
{"id":1,"motivo":"Recusado por preço"}
{"results":[{"id":1,"title":"Head of Failed Payments"}]}
{"data":{"id":5,"is_valid":false}}
{"accepted":0,"queued":1}
We received it. You cannot reply to this e-mail.
Your message was received. If you can't see it, refresh.
Nada foi enviado ao cliente, apenas salvo
Saved. Unavailable fields were ignored
Cadastro realizado, não houve erro.
não ocorreu erro
não há erros
{"message":"Processado. Não houve falhas."}
0 campos inválidos
{"error":"Nenhum erro encontrado"}
{"error":"no errors found"}
{"errors":"0 errors"}
{"errorCode":"00","errorMessage":"Operação realizada com sucesso"}
{"errorMessage":"Success."}
{"id":"512","properties":{"createdate":"2026-01-01T00:00:00Z","email":"ana@a.com"},"archived":false}
{"results":[{"id":"1","properties":{"hs_lead_status":"BAD_TIMING"}}],"status":"COMPLETE","startedAt":"2026","completedAt":"2026"}
{"status":"COMPLETE","results":[],"numErrors":0,"errors":[]}
{"success":true,"data":{"id":5,"name":"Erro da Silva","lost_reason":"Recusado","status":"lost"},"additional_data":null}
{"success":true,"data":{"id":5,"title":"Fail Fast Ltda deal","status":"open","valid":false,"is_valid":false}}
{"event_uuid":"5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}
{"uuid":"c2f3d2b3","name":"Ana","job_title":"Head of Error Handling","bio":"Falhou e tentou de novo"}
{"id":"00Q5e00001AbCdE","success":true,"errors":[]}
{"hasErrors":false,"results":[{"statusCode":201,"result":{"id":"00Q","success":true,"errors":[]}}]}
{"data":[{"code":"SUCCESS","details":{"Modified_Time":"2026","id":"55"},"message":"record added","status":"success"}]}
{"code":"success","details":{"output":"0 erros","id":"1"},"message":"function executed successfully"}
{"result":101,"time":{"start":1.5,"finish":1.6,"operating_reset_at":1700000000,"operating":0}}
{"result":true,"time":{"start":1.5}}
{"_links":{"self":{"href":"https://x.kommo.com/api/v4/leads"}},"_embedded":{"leads":[{"id":1,"request_id":"0"}]}}
{"status":"ok","processed":1,"failed":0}
{"@odata.context":"$metadata#Contacts","value":[{"Id":1,"Name":"Não deu certo","Status":{"Id":1,"Name":"Inválido"}}]}
{"data":{"id":7,"name":"Erro","description":"Contato recusado em 2025","leadOrigin":{"id":1,"name":"Falha"}}}
{"success":true,"message":"Operação efetuada com sucesso","data":{"id":9,"title":"Invalid Co","reason_close":"Negado"}}
Accepted
{"id":"0198","request_id":"01","attempt":"01","status":"success"}
{"message":"Workflow was started"}
{"message":"Workflow got started."}
[{"success":true}]
{"result":"success"}
{"status":"success","message":"Linha 7 adicionada: Error Corp"}
{"status":"OK","linha":12,"erro":null}
{"headers":{"host":"a"},"params":{},"query":{},"body":{"contact":{"name":"Erro","message":"não deu certo"},"level":3}}
{"data":"{\"company\":\"Fail Fast Ltda\",\"observacao\":\"não deu certo\"}"}
{"received":true,"payload":{"note":"deu errado","company":"Denied Tees"}}
{"codigo":0,"mensagem":"Cadastro efetuado com sucesso"}
{"codigo":"200","mensagem":"Registro incluído com sucesso!","erros":[]}
{"sucesso":true,"erros":null,"dados":{"id":3}}
{"retorno":{"status":"OK","codigo_erro":0,"registros":[{"id":1}]}}
{"retorno":{"status_processamento":3,"status":"OK","registro":{"sequencia":1,"status":"OK","id":5}}}
{"codigo_status":"0","descricao_status":"Cliente cadastrado com sucesso!","codigo_cliente_omie":12}
{"faultstring":"","faultcode":"0"}
{"errorCode":0,"errorMessage":"Nenhuma falha"}
{"erro":"Não houve erro"}
{"erro":"não há erros"}
{"error":"0 - Sucesso"}
{"errors":"nenhum"}
{"erro":"Nenhum erro encontrado."}
{"message":"Não foram encontrados erros"}
{"message":"Lead Fail Fast Ltda criado com sucesso"}
{"message":"Contato Erro criado com sucesso."}
Contato "Ana Falha" salvo com sucesso!
Lead Erro created successfully
Recebido. Não houve nenhuma falha.
Não foi encontrado nenhum erro
Não foram registradas falhas
Processado sem nenhum erro
Processado sem erro algum
Processed without errors. 1 created, 0 failed, 0 rejected.
3 registros: 3 ok, 0 inválidos, 0 rejeitados
0 registros com erro
0 de 3 falharam
Nothing failed.
Nada falhou
No fields were rejected
Nenhum campo foi rejeitado
None failed
Thank you! Your submission has been received. If you cannot see it, please log in.
Thanks, received. Please do not reply, you can't answer this message
Lead recebido. Faça login para ver.
Contact not found, created new one
Contato não encontrado, criado novo
{"status":"Contact not found, created"}
{"message":"Contato não encontrado. Novo contato criado com sucesso."}
{"id":33,"status":"expired"}
{"id":33,"nome":"Ana","situacao":"Expirado"}
{"id":33,"name":"Ana","aceito":false,"recebido":false}
{"contactId":7,"name":"Ana","state":"denied"}
{"uuid":"7a","situacao":"Recusada pelo cliente"}
{"result":{"id":7,"status":"Inválido","reason":"Telefone inválido"}}
{"items":[{"id":1,"status":"rejected"}],"total":1}
{"accepted":0,"received":1}
{"saved":0,"updated":1}
{"received":1,"accepted":1,"rejected":0,"invalid":0}
{"status":"queued","message":"Will be processed. You cannot cancel it."}
{"message":"Obrigado! Recebemos seu contato."}
{"ok":true,"message":"error log cleared"}
{"status":"ok","message":"Fail Fast Ltda updated"}
{"state":"Kogi","uf":"KO"}
{"name":"Ana","title":"Exception Manager","description":"Expert in failed startups"}
<response><status>ok</status><errors>0</errors></response>
<?xml version="1.0"?><ns:r><erros/><mensagem>Nenhum erro</mensagem></ns:r>
status=success&errors=0
EVENT_RECEIVED
1
ok - no warnings
no exceptions were thrown
Never failed
{"status":"Sem falhas"}
{"status":"completed_without_errors"}
{"status":"no_error"}
{"status":"completed with 0 errors"}
{"result":"Nenhum contato rejeitado"}
{"resultado":"Nenhum campo inválido"}
{"result":"never rejected"}
{"errors":["nenhum erro"]}
{"falhas":"0 falhas"}
{"error":"False."}
{"warnings":["telefone vazio"],"status":"ok"}
Your message was received. We are under maintenance on Sunday.
{"result":450,"time":{"start":1}}
{"id":5,"code":450,"name":"x"}
{"result":"{\"name\":\"Erro\"}"}
{"id":5,"status":false}
{"id":"a","nome":"Falha Zero ME","mensagem":"Contato incluído"}
{"status":"success","message":"Lead already exists. Not created again"}
{"message":"Lead 404 criado"}
{"status":"200 OK"}
{"status":{"code":200,"message":"OK"}}
{"status":"0","message":"Nenhuma rejeição"}
{"lead":{"status":"rejected"}}
{"msg":"Nada deu errado"}
Nothing went wrong
200 - Registro gravado. Sem inconsistências. Nenhum erro foi detectado.
Não houve nenhum erro
Nenhum erro ocorreu
não tem erros
There were no errors.
There are no failed items
There was never an error
no validation errors
sem erros de validação
0 validation errors
0 leads inválidos e 0 rejeitados
Importação concluída: 1 contato, 0 com falha
Erros: 0
Falhas: nenhuma
Erros: nenhum
errors = no
Rejected: 0, Invalid: 0, Accepted: 1
rejeitados: 0
{"message":"Importado. Erros: 0. Avisos: 0."}
{"message":"Created: 1 | Failed: 0"}
{"detail":"Received"}
{"ok":true}
{"status":"accepted","id":"run_1"}
{"title":"Contato","description":"Novo contato"}
{"data":{"title":"Exception handling expert","name":"Ana"}}
"OK, sem erros"
{"type":"success","message":"Salvo"}
{"code":"SUCCESS","error":{"code":"NONE"}}
{"error":"0","erro":"não"}
{"errors":{"count":0,"items":[]}}
{"mensagem_erro":"","status":1}
{"status":1,"msg_erro":null}
{"message":"Thank you for contacting Failsafe Inc"}
{"message":"Obrigado! Seu contato foi recebido e não será recusado"}
Mensagem recebida, aguarde. Não há necessidade de novo envio
{"return":"OK","warning":""}
{"isError":false,"hasFailed":false}
{"error":false,"message":"Contato já cadastrado, dados inválidos foram ignorados"}
{"error":false,"status":"ok","message":"invalid fields ignored"}
lead_id=7&status=ok
{"contacts":[{"id":1,"errors":[{"x":1}]}]}
{"leads":[{"id":1}],"_total":1}
Falhas: não
{"message":"Erros: nenhum; avisos: nenhum"}
{"objectId":"1","objectType":"CONTACT","propertyErrors":{}}
{"status":"success","log":"","id":"abc","attempt":"def"}
{"inlineMessage":"Obrigado"}
{"leads":[{"id":"0"}],"success":true}
{"success":1,"id":77}
{"status":"OK","id_cliente":"1","mensagem":""}
{"pessoa":{"id":1,"nome":"Falha"},"resultado":"criado"}
{"resultado":"OK"}
{"resultado":1}
{"result":500}
{"result":"id 500"}
{"status":"approved"}
{"status":"active"}
{"status":"new","name":"Ana"}
{"state":"RJ","city":"Rio"}
{"status":"Enfileirado"}
{"status":true,"message":"Contato inválido corrigido"}
{"status":1,"message":"Contato adicionado"}
{"type":"lead","id":4,"attributes":{"error":"x"}}
{"jsonapi":{"version":"1.0"},"data":{"type":"leads","id":"1","attributes":{"status":"failed"}}}
Dados recebidos. Caso haja erro, avisaremos.
{"message":"Recebido. Se houver algum erro avisaremos por e-mail"}
If there is an error we will email you. Received.
OK (duplicate ignored)
<xml><status>1</status><erro/></xml>
<?xml version="1.0" encoding="UTF-8"?><Result><Success>true</Success><Error></Error></Result>
Contato atualizado (campo telefone ignorado)
{"mensagem":"Já existe, nada foi alterado"}
{"info":"not modified"}
{"status":"skipped","reason":"already exists"}
{"message":"No changes"}
{"message":"Lead is not rejected"}
error_free
{"erros":[],"avisos":[]}
{"Erro":"","Sucesso":"S"}
{"status":"S"}
{"sucesso":"S","mensagem":"Gravado"}
{"error":[],"result":{"id":1}}
{"errorCode":null,"errors":null}
{"exception":null}
{"code":0,"msg":"success"}
{"code":1000,"description":"Lead created"}
{"errcode":"0","errmsg":"0"}
{"error":{"message":null,"code":null}}
{"deal":{"stage":"Negado"},"ok":true}
{"answer":"no"}
{"received":1}
{"received":"sim"}
{"message":"Saved. In case of error, call us"}
Recebido. Em caso de falha, avisamos.
{"message":"Se ocorrer algum erro, avise"}
{"erro":"N","mensagem":"Gravado"}
{"success":"true","msg":"Contato \"Falha Zero\" criado"}
{"status":"ok","message":"Erro Silva cadastrado"}
{"status":"ok","message":"Error log cleared"}
{"success":true,"message":"Cannot be undone"}
{"exito":true,"mensaje":"guardado"}
{"éxito":"sí","estado":"abierto"}
{"estado":"RJ"}
{"name":"Erro"}
{"name":"Ana Error"}
{"last_error":"timeout","retries":3}
{"received":true,"error_policy":"ignore","failed_at":null}
{"statusCode":200,"headers":{},"body":"\"OK\""}
{"ok":1,"nErrors":0,"writeErrors":[]}
{"_shards":{"total":2,"successful":2,"failed":0},"result":"created"}
{"success":1,"failure":0,"results":[{"message_id":"1"}]}
Recibido sin errores
Ningún error
No hay errores
No hubo ningún error
Contacto guardado correctamente. 0 errores.
Sin errores: 1 contacto creado
Contacto no encontrado, creado
erro = null
ok;erros=0;avisos=0
Webhook received: errors=[] warnings=[]
{"status":"success","data":{"failed_jobs":0,"errors_total":0}}
{"ok":true,"result":{"message_id":5,"text":"Novo lead: Falha Ltda"}}
{"message":"Contact created","warnings":[]}
{"message":"Contato criado","warnings":null,"errors":{}}
{"data":{"attributes":{"status":"invalid"}},"meta":{"errors":0}}
{"code":200,"error":"false","message":"OK"}
{"code":"0000","message":"Transaction without errors"}
{"errno":0,"errmsg":"ok"}
{"err":null,"res":"done"}
{"err":0}
{"ret":0,"msg":""}
{"ErrorCode":0,"ErrorMessage":"No Error"}
{"ResultCode":"0","ResultMessage":"Sem erro"}
{"resposta":"Sem erros encontrados"}
{"resposta":"Nenhum problema encontrado"}
{"retorno":{"erro":"0","mensagem":"Processado"}}
{"errors":[null]}
{"errors":["0"]}
{"errors":""}
{"error_messages":[]}
{"validationErrors":[],"isValid":true}
{"failedRecords":[],"savedRecords":["1"]}
{"records":[{"id":"rec","fields":{"Status":"Failed"}}]}
{"id":"rec9","createdTime":"2026","fields":{"Erro":"x"}}
{"gid":"1","resource_type":"task","name":"Fix error page"}
{"id":"5","idList":"x","name":"Erro no site","badges":{"due":null}}
{"object":"page","id":"x","properties":{"Status":{"select":{"name":"Invalid"}}}}
{"object":"event","type":"contact.failed"}
{"type":"contact.failed","id":"1"}
{"key":"LEAD-1","id":"10","self":"https://x.atlassian.net/rest/api/2/issue/10"}
{"ticket":{"id":1,"subject":"Error on page","status":"new"}}
{"audit":{"events":[{"type":"Create","value":"Denied"}]}}
{"contact":{"id":"1","email":"a@b.c","errors":null}}
{"contact":{"id":"1","email":"error@falha.com"}}
{"email":"error@falha.com"}
{"message":"Enviado para error@falha.com"}
Enviado para error@falha.com
https://crm.example/errors/1
{"url":"https://crm.example/error"}
{"redirect":"/erro/404"}
{"message":"See https://docs.example/errors for details"}
Lead #404 saved
200
0
OK 0 errors
OK, 0 erros
OK - nenhum erro
success, no failures
Successfully processed with no errors
Sucesso (sem avisos nem erros)
Sem nenhum erro ou aviso
Sem avisos ou erros
No warnings or errors
No errors or warnings found
0 errors, 0 warnings
0 warnings, 0 errors, 1 created
errors: 0, warnings: 0
Errors: none
Error count: 0
error_count=0
Total de erros: 0
Quantidade de falhas: 0
Erro: não
Error: No
Error? No.
{"hasError":"false"}
{"isError":"N"}
{"erro":"false"}
{"Error":"None"}
{"error":"ok"}
{"error":"Success"}
{"error":"00"}
{"error":"-"}
{"error":"N/A"}
{"exception":""}
{"success":"SIM"}
{"success":1,"errors":0}
{"sucesso":"1"}
{"status":"Sucesso","mensagem":"Lead Falha cadastrado"}
{"message":"Error-free processing"}
error-free
{"status":"failover-ok"}
{"message":"Webhook aceito. Em caso de erro, tentaremos de novo."}
{"message":"Any errors will be emailed"}
{"message":"Errors will be reported to admin"}
Erros serão enviados por e-mail
{"message":"Duplicate ignored"}
{"message":"already exists"}
{"skipped":true,"reason":"duplicate"}
{"ignored":1}
{"deduplicated":true,"error_code":""}
<html-free text>
<ok/>
<Response/>
<?xml version="1.0"?><Response></Response>
<result code="0" error="">ok</result>
<status error="false">ok</status>
<resposta><erro>0</erro><msg>gravado</msg></resposta>
<resposta><erro>false</erro></resposta>
<resposta><erro>N</erro></resposta>
<faultcode/>
No further action is required.
Thanks! No more information is required
Nada más es necesario
{"id":"69","object":"contact","status":"subscriber","cleaned":false}
{"status":"subscribed","unsubscribe_reason":""}
{"contact":{"id":1,"fails":0}}
{"ok":true,"warnings":[{"code":"w"}]}
{"lead_id":7,"dedupe":"match","error_count":0}
{"code":"OK","detail":"Lead aceito; validação: sem inválidos"}
{"resultado":"sucesso","observacao":"cliente inativo reativado"}
{"mensagem":"Conta criada. Usuário ativo."}
{"message":"Your account is active"}
{"message":"Limite de crédito atualizado"}
{"message":"Limit updated, maximum 100"}
Contato recebido. Campos obrigatórios preenchidos.
{"message":"All required fields present"}
{"message":"Se falhar, tente novamente"}
Se houver falha, tente novamente.
Recebido! Se não encontrar o contato, tente novamente
OK. If missing, try again
{"msg":"Contato permitido"}
{"message":"Permission granted"}
{"message":"Sem permissões pendentes"}
{"status":"completed","errors_url":"https://x/errors"}
{"exitCode":0,"stderr":""}
{"exit_code":0,"output":"done"}
{"rows":1,"rejected_rows":0}
{"inserted":1,"failed":[]}
{"created":1,"updated":0,"failed":0,"invalid":[]}
{"notifications":{"sent":1,"failed":0}}
{"data":{"hasErrors":false}}
{"result":{"errors":null,"id":5}}
{"msg":"e-mail de erro@empresa.com salvo"}
{"mensagem":"Contato de Falha de São João salvo com sucesso"}
Gravado no banco de dados
Enviado ao CRM no prazo
No ar
{"retorno":"no prazo"}
no se produjeron errores
No se reportaron errores
no se presentaron fallos
No se han encontrado errores
cero errores
Errores: ninguno
Los errores serán notificados
Los errores se enviarán por correo
Rate limit not reached
Limite não atingido
Missing fields: 0
missing required fields: []
Duplicate entry: no
Unsupported fields: 0
user disabled: false
{"status":"em processamento"}
{"status":"aguardando aprovação"}
{"state":"unpublished"}
{"status":"scheduled","next":"retry disabled"}
{"status":"running","disabled":false}
{"message":"Webhook enabled. Retries disabled."}
Mensaje recibido. No responda a este correo.
Gracias, hemos recibido sus datos
{"mensaje":"Registro exitoso"}
{"estado":"ok","errores":[]}
{"estado":"ok","errores":0}
{"error":"ninguno"}
{"errores":"ninguno"}
{"fallos":0}
No se requiere ninguna acción
no hay fallos
sin fallos ni errores
0 fallos
Lead guardado sin ningún error
""".strip().splitlines()
"""Of CRMs, of automations and of scripts: what they say when all is well, and echoes of what they were sent."""

COMPLAINTS = r"""
{"success":false,"message":"Lead recusado"}
{"error":"Nenhum contato encontrado"}
{"error":"No such object"}
{"error":"No API key"}
{"error":"Not found"}
{"error":"Sem permissão"}
{"error":"não autorizado"}
{"erro":"Não foi possível salvar com sucesso"}
{"error":"0 registros salvos"}
{"status":"error","message":"ok"}
{"status":"processed with 2 errors"}
{"status":"Processado com 10 erros"}
{"status":"1 ok, 1 failed"}
{"result":"0 ok, 1 failed"}
{"status":"rejected"}
{"id":null,"status":"rejected"}
{"status":"lead rejeitado"}
{"status":"invalid_token"}
{"status":"access_denied"}
{"id":7,"status":"failed"}
{"id":3,"name":"Ana","status":"error","message":"x"}
{"id":1,"status":"Error: x"}
{"error":{"name":"x"}}
{"ok":false,"description":"Unauthorized"}
{"result":"fail","reason":"x"}
{"status":"ok","success":false}
{"success":true,"errors":["e-mail invalid"]}
Nao foi possivel
Nenhuma conta, acesso negado
Sem conexão com banco: falha
{"message":"no access, forbidden"}
If you see this, an error occurred
Caso 5: erro
{"message":"Invalid e-mail if empty"}
Falha se repetir
Não enviado. Falha
Not created successfully
{"status":"not processed"}
{"resultado":"não encontrado"}
{"status":"unavailable"}
Erro: 404
{"status":"erro ao gravar"}
{"result":"Erro: cliente inativo"}
{"status":"ok","results":[{"status":"failed"}]}
não existe contato: erro
{"mensagem":"Não foram encontrados contatos, erro"}
{"mensagem":"Não houve retorno do servidor, falha"}
{"mensagem":"Nada foi gravado"}
never saved, failed
{"id":"req_1","message":"Invalid token"}
{"name":"UnauthorizedError","message":"Token inválido"}
{"code":401,"message":"x"}
{"status":"not found"}
{"title":"Bad Request","detail":"x"}
{"title":"One or more validation errors occurred."}
{"motivo":"Campo inválido"}
{"sucesso":0}
{"success":"0"}
{"ok":"false"}
{"accepted":false}
{"result":"ko"}
{"status":"KO"}
{"errorCode":"17","errorMessage":"Operação não permitida"}
{"errorMessage":"Contato duplicado"}
{"hasErrors":true}
{"results":[{"status":"error","id":1}]}
{"message":"Processado com sucesso, mas com 1 falha"}
Request processed successfully with 2 errors
Processado. Houve falhas.
3 falharam, 2 salvos com sucesso
Ocorreu um erro
Não salvou. Erro 5
não foi salvo
Nada foi salvo
Nada foi feito
You cannot access this resource
We received your request, but cannot process it
We received your request but could not save it
Service Unavailable
Lead not found
Contato não encontrado
Please log in
Sessão expirou
Token expirado
No token. Invalid request
Sem token: acesso negado
Version 2.0 error
HTTP 500 error
10 erros
Not saved: error 5
{"status":"not authorized"}
{"message":"No lead was created: invalid e-mail"}
Contact cannot be saved
{"status":"unauthorized"}
{"status":"Erro ao salvar: nenhum campo preenchido"}
{"message":"Nenhum contato salvo, erro interno"}
{"status":"Error","message":"x"}
{"id":"","errors":["x"]}
{"id":3,"success":false}
{"id":3,"name":"Ana","error":"E-mail já usado"}
{"id":3,"name":"Ana","message":"Falha ao salvar"}
{"status":"FAIL"}
{"status":500,"id":1}
{"code":"401","message":"x"}
{"statusCode":"422"}
Erro: nenhum contato
Erro 0x80004005
Não foi possível: não houve retorno
Unable to save: no errors reported
falha; nada foi salvo
{"message":"0 criados. 1 erro."}
Nenhum lead criado. Falha na API
{"message":"Validation failed: name not found"}
{"message":"User not found"}
{"message":"Não encontrado"}
{"detail":"Not found."}
{"detail":"Authentication credentials were not provided. Invalid."}
{"message":"The given data was invalid."}
{"message":"Unauthenticated. Token expired"}
{"reason":"Quota exceeded"}
{"message":"Limite excedido"}
{"message":"Sucesso: não"}
1 sucesso, 1 falha
Salvo com sucesso: não
{"message":"Dados inválidos"}
{"msg":"Something went wrong"}
{"mensagem":"Algo deu errado"}
ERRO! Contato salvo com sucesso em outra lista; falha
{"errorMessage":"Não foi salvo com sucesso"}
Could not find any errors table
{"status":"processado parcialmente, 1 erro"}
success: false
{"data":[{"status":"error"}]}
não salvo: token inválido
Contato recebido mas não foi salvo
Lead received but rejected
{"errors":[{"id":1,"title":"Rejected"}]}
{"status":"success","errors":["x"]}
{"result":{"error":"x"}}
{"error":"Tente novamente mais tarde"}
Erro: não existe contato
Error: no lead
{"message":"Erro: não salvou"}
{"sucesso":"N"}
{"sucesso":"não"}
{"success":"N","msg":"x"}
{"status":"ERRO","mensagem":"CPF inválido"}
{"Erro":"CPF obrigatório","Sucesso":"N"}
{"retorno":{"status":"Erro","erros":[{"erro":{"erro":"Token inválido"}}]}}
{"retorno":{"status_processamento":2,"status":"Erro","codigo_erro":31}}
{"code":"DUPLICATE_DATA","status":"error","message":"duplicate data"}
{"data":[{"code":"MANDATORY_NOT_FOUND","details":{},"message":"required field not found","status":"error"}]}
{"error":"INVALID_CREDENTIALS","error_description":"Invalid request credentials"}
{"error_type":"BUSINESS_RULE"}
{"errors":{"error_type":"UNAUTHORIZED","error_message":"Invalid token."}}
[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]
{"status":"error","message":"Property values were not valid","category":"VALIDATION_ERROR"}
{"success":false,"error":"unauthorized access","errorCode":401}
{"title":"Unauthorized","type":"https://httpstatuses.com/401","status":401,"detail":"x"}
Exception: Cannot read properties of undefined
TypeError: Cannot read property 'contact' of undefined (linha 5)
{"result":"error","error":{"name":"Exception"}}
Erro de conexão com o banco
mysqli_connect(): Access denied for user
Duplicate entry error
{"message":"Internal server error"}
{"message":"Erro interno"}
{"Message":"An error has occurred."}
{"message":"Forbidden"}
{"exception":"App\\Exceptions\\X"}
Acesso negado
Chave inválida
{"status":"ok","message":"Erro ao gravar o contato"}
{"success":true,"message":"Falha ao inserir: duplicado"}
{"ok":true,"message":"Error: could not reach database"}
{"status":"success","message":"Não foi possível criar o negócio"}
{"error":false,"message":"Ocorreu um erro interno"}
{"d":"{\"Success\":false,\"Message\":\"x\"}"}
{"name":"FeathersError","message":"x","code":404,"className":"not-found"}
{"codigo":1,"mensagem":"Usuário ou senha incorretos"}
{"situação":"erro"}
{"exito":false,"mensaje":"falta el correo"}
{"éxito":"no"}
{"estado":"error"}
{"mensaje":"Error al guardar"}
{"success":0,"failure":1,"results":[{"error":"NotRegistered"}]}
{"took":3,"errors":true,"items":[]}
{"ok":1,"writeErrors":[{"code":11000}]}
OK<br /><b>Deprecated</b>:  Creation of dynamic property in <b>/x.php</b> on line <b>9</b><br />
ERRO|CPF já cadastrado
callback({"error":"x"})
Ha ocurrido un error
No se pudo guardar el contacto
No autorizado
Acceso denegado
Solicitud rechazada
Contraseña incorrecta
No se guardó correctamente
No fue posible guardar
No se recibió ningún dato
{"ErrorCode":5,"ErrorMessage":"CPF"}
{"errno":1062}
{"err":"duplicate key"}
{"ok":0,"errmsg":"E11000 duplicate key"}
{"ret":-1,"msg":"sign error"}
{"error":true}
{"error":1}
{"error":"S"}
{"error":"sim"}
{"error":{}, "errors":["x"]}
{"message":"Not authorized"}
{"message":"Unauthenticated."}
{"message":"Access token is missing"}
{"message":"Token ausente"}
{"mensagem":"Campo obrigatório não informado"}
{"mensagem":"E-mail é obrigatório"}
{"message":"The name field is required."}
{"message":"Email is required"}
{"message":"Missing required parameter: email"}
Missing parameter: email
Parâmetro obrigatório ausente: email
Campo obrigatório: nome
{"result":"not_found"}
{"result":"denied"}
{"status":"invalid"}
{"status":"unprocessable_entity"}
{"status":"bad_request"}
{"status":"forbidden"}
{"status":422,"message":"x"}
{"status":"400","message":"x"}
{"status":"fail","data":{"title":"A title is required"}}
{"response":{"status":"error"}}
{"success":false}
{"Success":"False"}
{"isOk":false}
Fatal error: Allowed memory size exhausted
SQLSTATE[42S02]: Base table or view not found
ORA-00001: unique constraint violated
psycopg2.errors.UniqueViolation: duplicate key value violates unique constraint
Undefined index: contact
Undefined variable $data
Traceback (most recent call last):
java.lang.NullPointerException
Uncaught (in promise) ReferenceError: x is not defined
panic: runtime error: index out of range
Segmentation fault
Internal Server Error
Bad Gateway
504 Gateway Time-out
Service Temporarily Unavailable
Rate limit exceeded
Limite de requisições atingido
Cota excedida
Maximum number of contacts reached
Plano expirado
Assinatura inválida
Invalid signature
Signature mismatch
Assinatura não confere
Hash mismatch
Método não suportado
Method not allowed
Nothing was saved
No data received
Nenhum dado recebido
Dados não recebidos
JSON inválido
Malformed JSON
Unexpected token < in JSON at position 0
Syntax error
Erro ao decodificar JSON
Requisição inválida
Connection refused
Connection timed out
Could not connect to database
Não conectou
Banco de dados indisponível
Sistema indisponível
Servidor fora do ar
Permission denied
Sem permissão
You do not have permission
Usuário não encontrado
Usuário bloqueado
Conta suspensa
Account disabled
Empresa inativa
Falhou
Deu erro
Não deu certo
Algo deu errado
Tente novamente
Tente novamente mais tarde
Please try again later
{"errores":["falta correo"]}
{"errores":"falta correo"}
{"fallo":true}
{"mensaje":"Usuario no encontrado"}
{"mensaje":"Datos inválidos"}
{"mensaje":"Token caducado"}
{"mensaje":"Ocurrió un error inesperado"}
{"mensaje":"Servicio no disponible"}
{"mensaje":"Inténtelo de nuevo más tarde"}
{"mensaje":"Campo obligatorio: correo"}
{"success":"error"}
{"ok":"error"}
{"isError":1}
{"response":"ERROR"}
{"resposta":"erro"}
{"mensagem":"Não autenticado"}
{"mensagem":"Lead já existe: não foi criado"}
{"message":"License expired"}
{"message":"Quota exhausted"}
{"message":"Insufficient permissions"}
{"message":"Permissão negada"}
{"message":"Payload too large"}
{"message":"Unsupported media type"}
{"message":"Unknown error"}
{"message":"Internal failure"}
{"message":"Request aborted"}
{"message":"Connection reset by peer"}
{"message":"ECONNREFUSED 10.0.0.1:5432"}
{"message":"getaddrinfo ENOTFOUND crm"}
{"message":"read ETIMEDOUT"}
{"message":"Deadlock found when trying to get lock"}
{"message":"Duplicate entry 'a' for key 'PRIMARY'"}
{"message":"Data too long for column 'nome'"}
{"message":"Column 'email' cannot be null"}
{"message":"Cannot read properties of undefined (reading 'id')"}
{"message":"contact is not defined"}
{"message":"KeyError: 'contact'"}
{"detail":"'NoneType' object has no attribute 'get'"}
El correo no es válido
No tiene permiso
Sin permiso
Não salvou
Sem sucesso
Falha ao concluir com sucesso
Database is locked
No space left on device
Missing fields: no name
Undefined offset: 0
Rate limit reached
""".strip().splitlines()


@pytest.mark.parametrize("body", GOOD)
def test_a_good_answer_is_no_complaint(body: str) -> None:
    assert judge(200, body.encode()).warning is None


@pytest.mark.parametrize("body", COMPLAINTS)
def test_a_complaint_is_found(body: str) -> None:
    assert judge(200, body.encode()).warning in ("error_in_json", "error_words")


SENT = encode_body({"contact": {"name": "Ana Falha", "current_company": "Erro & Cia", "role": "Error analyst"}})


@pytest.mark.parametrize(
    "body",
    [
        "Recebido: Ana Falha, de Erro & Cia",
        r'{"message":"Ana Falha \u00e9 Error analyst"}',
    ],
)
def test_a_name_that_was_sent_and_is_repeated_is_no_complaint(body: str) -> None:
    assert judge(200, body.encode()).warning == "error_words"
    assert judge(200, without_echo(body.encode(), SENT)).warning is None


@pytest.mark.parametrize("body", ["Ana Falha: erro ao salvar", "Falha", "Erro ao salvar Ana"])
def test_a_complaint_beside_a_name_is_one(body: str) -> None:
    assert judge(200, without_echo(body.encode(), SENT)).warning == "error_words"


def test_nothing_is_an_echo_of_a_body_that_is_no_json() -> None:
    assert without_echo(b"Ana Falha", b"Ana Falha") == b"Ana Falha"
