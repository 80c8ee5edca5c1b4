"""Orders on Django's ORM, with Django's own migrations at the start. What it connects to, libpq's environment says."""

import json
import os
import sys
from decimal import Decimal
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers import basehttp
from django.core.wsgi import get_wsgi_application
from django.db import DataError, connection, transaction
from django.http import JsonResponse
from django.urls import path

sys.path.insert(0, str(Path(__file__).parent))
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.contenttypes", "orders"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "NAME": os.environ["PGDATABASE"],
        }
    },
)
django.setup()

from orders.models import Order  # noqa: E402 (it needs the settings)


def fields(order):
    return {"id": order.id, "name": order.name, "price": str(order.price), "tags": order.tags}


def asked(request):
    order = json.loads(request.body)
    return Order(name=order["name"], price=Decimal(order["price"]), tags=["new", "hot"])


@transaction.atomic
def create(request):
    order = asked(request)
    order.save()
    order.refresh_from_db()
    return JsonResponse(fields(order))


def read(_, number):
    return JsonResponse(fields(Order.objects.get(id=number)))


def types(_):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\\x00ff'::bytea, date '2024-02-29', "
            "timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid, "
            "'{\"a\": [1]}'::jsonb, array[1,2], NULL"
        )
        row = cursor.fetchone()
    return JsonResponse([repr(value) for value in row], safe=False)


def undone(request):
    order = asked(request)
    try:
        with transaction.atomic():
            order.save()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
    except DataError as error:
        code = error.__cause__.sqlstate
    return JsonResponse({"code": code, "left": Order.objects.filter(name=order.name).count()})


urlpatterns = [
    path("orders", create),
    path("orders/<int:number>", read),
    path("types", types),
    path("undone", undone),
]

# Its server has room for ten clients that wait.
basehttp.WSGIServer.request_queue_size = 128
call_command("migrate", verbosity=0)
basehttp.run("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), threading=True)
