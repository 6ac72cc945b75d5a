"""Telling a company's admins by e-mail that their CRM gets nothing, and once that it does again.

`due` knows what is to be told and lets one worker alone take it; `letters` puts it into words; `telling` sends them.
`backups` tells that the portal makes none any more; `reports` mails the report to whoever asks for it.
"""

from portal.notices.backups import BackupWatch
from portal.notices.chat import ChatError, post_to_chat
from portal.notices.due import Notice, claim, find_due, give_back, give_up
from portal.notices.letters import Letter, recipients_of, write_letter, write_trial
from portal.notices.reports import ReportMail
from portal.notices.telling import Speaking, Teller, post

__all__ = [
    "BackupWatch",
    "ChatError",
    "Letter",
    "Notice",
    "ReportMail",
    "Speaking",
    "Teller",
    "claim",
    "find_due",
    "give_back",
    "give_up",
    "post",
    "post_to_chat",
    "recipients_of",
    "write_letter",
    "write_trial",
]
