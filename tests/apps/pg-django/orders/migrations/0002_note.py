"""A column more, as a service grows them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.AddField("Order", "note", models.TextField(default=""))]
