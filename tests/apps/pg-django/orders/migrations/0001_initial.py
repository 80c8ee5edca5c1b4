"""The table."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.TextField()),
                ("price", models.DecimalField(max_digits=8, decimal_places=2)),
                ("tags", ArrayField(models.TextField())),
            ],
        )
    ]
