// An order service on net/http with a RESP client of its own: the test suite's static Go binary.
//
// PORT and REDIS_PORT come from the environment. Every key is unique to its request, so a replay is exact under concurrency.
// BUG selects one deliberate change, for the tests that must fail: key, field, extra, dropped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

var bug = os.Getenv("BUG")

// A small pool of connections to the store.
var pool = make(chan *conn, 16)

type conn struct {
	net.Conn
	in *bufio.Reader
}

func take() (*conn, error) {
	select {
	case c := <-pool:
		return c, nil
	default:
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+os.Getenv("REDIS_PORT"))
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

func (c *conn) reply() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	switch line[0] {
	case '+':
		return line[1:], nil
	case '-':
		return nil, fmt.Errorf("store: %s", line[1:])
	case ':':
		return strconv.Atoi(line[1:])
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return nil, err
		}
		data := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, data); err != nil {
			return nil, err
		}
		return string(data[:n]), nil
	}
	return nil, fmt.Errorf("store: unexpected %q", line)
}

func do(args ...string) (any, error) {
	c, err := take()
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(c, out.String()); err != nil {
		c.Close()
		return nil, err
	}
	reply, err := c.reply()
	if err != nil {
		c.Close()
		return nil, err
	}
	select {
	case pool <- c:
	default:
		c.Close()
	}
	return reply, nil
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func create(w http.ResponseWriter, r *http.Request) error {
	var order struct {
		ID    string   `json:"id"`
		Items []string `json:"items"`
	}
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		return err
	}
	text, _ := json.Marshal(order)
	prefix, status := "order:", "new"
	if bug == "key" {
		prefix = "orders:"
	}
	if bug == "field" {
		status = "open"
	}
	if _, err := do("SET", prefix+order.ID, string(text)); err != nil {
		return err
	}
	if bug != "dropped" {
		if _, err := do("RPUSH", "audit:"+order.ID, "created"); err != nil {
			return err
		}
	}
	if bug == "extra" {
		if _, err := do("GET", "order:"+order.ID); err != nil {
			return err
		}
	}
	answer(w, 201, map[string]any{"id": order.ID, "items": len(order.Items), "status": status})
	return nil
}

func read(w http.ResponseWriter, id string) error {
	found, err := do("GET", "order:"+id)
	if err != nil {
		return err
	}
	if found == nil {
		answer(w, 404, map[string]any{"error": "no such order", "id": id})
		return nil
	}
	answer(w, 200, json.RawMessage(found.(string)))
	return nil
}

func pay(w http.ResponseWriter, id string) error {
	if _, err := do("HSET", "payment:"+id, "state", "paid", "order", id); err != nil {
		return err
	}
	state, err := do("HGET", "payment:"+id, "state")
	if err != nil {
		return err
	}
	answer(w, 200, map[string]any{"order": id, "state": state})
	return nil
}

func main() {
	handle := func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		var err error
		switch {
		case r.Method == "POST" && len(parts) == 3:
			err = pay(w, parts[1])
		case r.Method == "POST":
			err = create(w, r)
		case len(parts) == 2:
			err = read(w, parts[1])
		default:
			answer(w, 404, map[string]any{"error": "no such route"})
		}
		if err != nil {
			answer(w, 502, map[string]any{"error": err.Error()})
		}
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(handle)))
}
