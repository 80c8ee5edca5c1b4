"""What an order is."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Order(models.Model):
    name = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    tags = ArrayField(models.TextField())
    note = models.TextField(default="")
