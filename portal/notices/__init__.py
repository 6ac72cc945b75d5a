"""Telling a company's admins by e-mail that their CRM gets nothing, and once that it does again.

`due` knows what is to be told and lets one worker alone take it; `letters` puts it into words; `telling` sends them.
`backups` tells that the portal makes none any more; `reports` mails the report to whoever asks for it.
"""
