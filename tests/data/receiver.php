<?php
$json = file_get_contents('php://input');
// json convertido para array
$data = json_decode($json, true);
// processar o array $data ...
echo "Webhook recebido.";
?>
