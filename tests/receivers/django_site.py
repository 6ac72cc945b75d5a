"""A site of Django in one file, as its tutorial has it: what people forget is forgotten here."""

import os

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

settings.configure(
    SECRET_KEY="receivers",
    DEBUG="DEBUG" in os.environ,
    ALLOWED_HOSTS=["hook.test"],
    ROOT_URLCONF=__name__,
    APPEND_SLASH=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("OK")


@csrf_exempt
def crash(request: HttpRequest) -> HttpResponse:
    raise KeyError("interest")


urlpatterns = [
    path("ok/", csrf_exempt(answer)),
    path("json/", csrf_exempt(lambda request: JsonResponse({"saved": True}))),
    path("csrf/", answer),
    path("members/", csrf_exempt(login_required(answer))),
    path("get/", csrf_exempt(require_GET(answer))),
    path("crash/", crash),
]

if __name__ == "__main__":
    execute_from_command_line()
