// Orders on Go's database/sql and lib/pq. What it connects to, libpq's environment says.
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/lib/pq"
)

type order struct {
	ID    int64          `json:"id"`
	Name  string         `json:"name"`
	Price string         `json:"price"`
	Tags  pq.StringArray `json:"tags"`
}

type querier interface {
	QueryRow(query string, args ...any) *sql.Row
}

var db *sql.DB

const insert = "INSERT INTO orders (name, price, tags) VALUES ($1, $2, $3) RETURNING id"

func find(from querier, id any) (found order, err error) {
	row := from.QueryRow("SELECT id, name, price, tags FROM orders WHERE id = $1", id)
	err = row.Scan(&found.ID, &found.Name, &found.Price, &found.Tags)
	return found, err
}

func asked(r *http.Request) (made order, err error) {
	made.Tags = pq.StringArray{"new", "hot"}
	return made, json.NewDecoder(r.Body).Decode(&made)
}

func create(r *http.Request) (any, error) {
	made, err := asked(r)
	if err != nil {
		return nil, err
	}
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if err := tx.QueryRow(insert, made.Name, made.Price, made.Tags).Scan(&made.ID); err != nil {
		return nil, err
	}
	made, err = find(tx, made.ID)
	if err != nil {
		return nil, err
	}
	return made, tx.Commit()
}

func types(*http.Request) (any, error) {
	rows, err := db.Query(`SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\x00ff'::bytea,
		timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid,
		'{"a": [1]}'::jsonb, array[1,2], NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for n := range values {
		places[n] = &values[n]
	}
	rows.Next()
	return values, rows.Scan(places...)
}

func undone(r *http.Request) (any, error) {
	made, err := asked(r)
	if err != nil {
		return nil, err
	}
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec("INSERT INTO orders (name, price) VALUES ($1, $2)", made.Name, made.Price); err != nil {
		return nil, err
	}
	var refused *pq.Error
	if _, err := tx.Exec("SELECT 1/0"); !errors.As(err, &refused) {
		return nil, err
	}
	if err := tx.Rollback(); err != nil {
		return nil, err
	}
	var left int
	err = db.QueryRow("SELECT count(*) FROM orders WHERE name = $1", made.Name).Scan(&left)
	return map[string]any{"code": refused.Code, "left": left}, err
}

func handle(path string, answer func(*http.Request) (any, error)) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		value, err := answer(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(value)
	})
}

func main() {
	var err error
	if db, err = sql.Open("postgres", "sslmode=disable"); err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(5)
	if _, err = db.Exec("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])"); err != nil {
		log.Fatal(err)
	}
	handle("/orders", create)
	handle("/orders/", func(r *http.Request) (any, error) { return find(db, strings.TrimPrefix(r.URL.Path, "/orders/")) })
	handle("/types", types)
	handle("/undone", undone)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
