"""The Flask extensions, made here once and tied to an application in `create_app`."""

from flask_compress import Compress
from flask_login import LoginManager
from flask_wtf import CSRFProtect

compress = Compress()
csrf = CSRFProtect()
login_manager = LoginManager()
