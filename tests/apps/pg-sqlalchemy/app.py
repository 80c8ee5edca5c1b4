"""Orders on Flask and SQLAlchemy's ORM, with psycopg below it. What it connects to, libpq's environment says."""

import sys
from decimal import Decimal

from flask import Flask, jsonify, request
from sqlalchemy import ARRAY, Numeric, Text, create_engine, func, select, text
from sqlalchemy.exc import DataError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine("postgresql+psycopg://", pool_size=5, pool_pre_ping=True)
app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))

    def fields(self):
        return {"id": self.id, "name": self.name, "price": str(self.price), "tags": self.tags}


def asked():
    return Order(name=request.json["name"], price=Decimal(request.json["price"]), tags=["new", "hot"])


@app.post("/orders")
def create():
    with Session(engine) as session, session.begin():
        order = asked()
        session.add(order)
        session.flush()
        session.refresh(order)
        return jsonify(order.fields())


@app.get("/orders/<int:number>")
def read(number):
    with Session(engine) as session:
        return jsonify(session.get(Order, number).fields())


@app.get("/types")
def types():
    columns = (
        "true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\\x00ff'::bytea, date '2024-02-29', "
        "timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid, "
        "'{\"a\": [1]}'::jsonb, array[1,2], NULL"
    )
    with engine.connect() as connection:
        row = connection.exec_driver_sql(f"SELECT {columns}").one()
        return jsonify([repr(value) for value in row])


@app.post("/undone")
def undone():
    with Session(engine) as session:
        try:
            with session.begin():
                session.add(asked())
                session.flush()
                session.execute(text("SELECT 1/0"))
        except DataError as error:
            code = error.orig.sqlstate
        left = session.scalar(select(func.count()).where(Order.name == request.json["name"]))
        return jsonify({"code": code, "left": left})


Base.metadata.create_all(engine)
app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
