//! Orders on sqlx and tokio, with as much HTTP as its client speaks. What it connects to, libpq's environment says.

use std::error::Error;

use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{PgExecutor, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const INSERT: &str = "INSERT INTO orders (name, price, tags) VALUES ($1, $2::text::numeric, $3) RETURNING id";

#[tokio::main]
async fn main() -> Result<()> {
    let port: u16 = std::env::args().nth(1).ok_or("a port is wanted")?.parse()?;
    let pool = PgPoolOptions::new().max_connections(5).connect("postgres://").await?;
    let table = "CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])";
    sqlx::query(table).execute(&pool).await?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, pool.clone()));
    }
}

async fn serve(mut stream: TcpStream, pool: PgPool) -> Result<()> {
    let (target, body) = read(&mut stream).await?;
    let (status, answer) = match answer(&target, &body, &pool).await {
        Ok(answer) => ("200 OK", answer),
        Err(error) => ("500 Internal Server Error", format!("{{\"error\": {:?}}}", error.to_string())),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", answer.len());
    stream.write_all(format!("{head}Connection: close\r\n\r\n{answer}").as_bytes()).await?;
    Ok(())
}

/// A request's target and body.
async fn read(stream: &mut TcpStream) -> Result<(String, String)> {
    let mut input = Vec::new();
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err("the request is not whole".into());
        }
        let text = String::from_utf8_lossy(&input);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok((head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned()));
        }
    }
}

/// A text of a flat JSON object.
fn field<'a>(body: &'a str, name: &str) -> &'a str {
    let value = body.split_once(&format!("\"{name}\"")).and_then(|(_, rest)| rest.split('"').nth(1));
    value.unwrap_or_default()
}

async fn answer(target: &str, body: &str, pool: &PgPool) -> Result<String> {
    match target {
        "/types" => types(pool).await,
        "/undone" => undone(body, pool).await,
        "/orders" => create(body, pool).await,
        _ => find(target.rsplit('/').next().unwrap_or_default().parse()?, pool).await,
    }
}

async fn insert(body: &str, db: impl PgExecutor<'_>) -> Result<i32> {
    let insert = sqlx::query(INSERT).bind(field(body, "name")).bind(field(body, "price")).bind(["new", "hot"]);
    Ok(insert.fetch_one(db).await?.try_get(0)?)
}

async fn find(id: i32, db: impl PgExecutor<'_>) -> Result<String> {
    let row =
        sqlx::query("SELECT id, name, price::text, tags FROM orders WHERE id = $1").bind(id).fetch_one(db).await?;
    let (id, name, price): (i32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let tags: Vec<String> = row.try_get(3)?;
    Ok(format!("{{\"id\": {id}, \"name\": {name:?}, \"price\": {price:?}, \"tags\": {tags:?}}}"))
}

async fn create(body: &str, pool: &PgPool) -> Result<String> {
    let mut transaction = pool.begin().await?;
    let id = insert(body, &mut *transaction).await?;
    let made = find(id, &mut *transaction).await?;
    transaction.commit().await?;
    Ok(made)
}

async fn types(pool: &PgPool) -> Result<String> {
    let sql = "SELECT true, 1::int2, 2::int8, 1.5::float8, 'a'::varchar(3), '\\x00ff'::bytea, array[1,2], NULL::text";
    let row = sqlx::query(sql).fetch_one(pool).await?;
    let first: (bool, i16, i64, f64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let rest: (String, Vec<u8>, Vec<i32>, Option<String>) =
        (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
    Ok(format!("[{:?}]", format!("{first:?} {rest:?}")))
}

async fn undone(body: &str, pool: &PgPool) -> Result<String> {
    let mut transaction = pool.begin().await?;
    insert(body, &mut *transaction).await?;
    let failed: sqlx::Result<PgRow> = sqlx::query("SELECT 1/0").fetch_one(&mut *transaction).await;
    let code = failed.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    transaction.rollback().await?;
    let count = sqlx::query("SELECT count(*) FROM orders WHERE name = $1").bind(field(body, "name"));
    let left: i64 = count.fetch_one(pool).await?.try_get(0)?;
    Ok(format!("{{\"code\": {:?}, \"left\": {left}}}", code.unwrap_or_default()))
}
