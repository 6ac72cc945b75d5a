"""People and access: companies, users, passwords, one-time links, log-in, the second factor and API tokens.

Everything here belongs to the caller's transaction; nobody here commits.
"""

from portal.people.links import (
    LINK_LIFETIMES,
    RESET_PAUSE,
    create_link,
    drop_links,
    find_link,
    request_reset,
    use_link,
)
from portal.people.logging_in import (
    FREE_FAILURES,
    LogIn,
    TooManyFailures,
    count_guess,
    find_log_in,
    forget_guess,
    record_log_in,
)
from portal.people.passwords import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    InvalidAccount,
    end_sessions,
    set_password,
)
from portal.people.second_factor import accept_code, app_address, new_secret, turn_off, turn_on
from portal.people.tokens import create_token, find_token, get_token, record_token_use, revoke_token, tokens_of
from portal.people.users import (
    USER_STATES,
    add_user,
    change_role,
    disable,
    enable,
    find_company,
    find_person,
    get_or_create_company,
    get_user,
    invite,
    is_empty,
    normalise_email,
    state_of,
)

__all__ = [
    "FREE_FAILURES",
    "LINK_LIFETIMES",
    "MAX_PASSWORD_LENGTH",
    "MIN_PASSWORD_LENGTH",
    "RESET_PAUSE",
    "USER_STATES",
    "InvalidAccount",
    "LogIn",
    "TooManyFailures",
    "accept_code",
    "add_user",
    "app_address",
    "change_role",
    "count_guess",
    "create_link",
    "create_token",
    "disable",
    "drop_links",
    "enable",
    "end_sessions",
    "find_company",
    "find_link",
    "find_log_in",
    "find_person",
    "find_token",
    "forget_guess",
    "get_or_create_company",
    "get_token",
    "get_user",
    "invite",
    "is_empty",
    "new_secret",
    "normalise_email",
    "record_log_in",
    "record_token_use",
    "request_reset",
    "revoke_token",
    "set_password",
    "state_of",
    "tokens_of",
    "turn_off",
    "turn_on",
    "use_link",
]
