"""The client of the service beside it: it comes back with everything that it was given."""

import http.client
import json
import re
import sys
import urllib.parse


def ask(method, target, body=None, **header):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request(method, target, body, {name.replace("_", "-"): value for name, value in header.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status < 400, (method, target, answer.status, text)
    return answer, text


JSON = {"Content_Type": "application/json"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}

answer, text = ask("POST", "/login", json.dumps({"user": "alice"}), **JSON)
cookie, token = answer.headers["Set-Cookie"].split(";")[0], json.loads(text)["token"]
assert json.loads(ask("GET", "/me", Cookie=cookie)[1]) == {"user": "alice"}
ask("GET", "/account", Authorization=f"Bearer {token}")

csrf = re.search('name="csrf" value="(.*?)"', ask("GET", "/form")[1])[1]
ask("POST", "/form", urllib.parse.urlencode({"csrf": csrf, "note": "hello"}), **FORM)

location = ask("POST", "/orders", json.dumps({"item": "tea"}), **JSON)[0].headers["Location"]
ask("GET", location)

cursor = json.loads(ask("GET", "/items")[1])["next"]
ask("GET", "/items?" + urllib.parse.urlencode({"cursor": cursor, "limit": 10}))

chance = json.loads(ask("GET", "/chance")[1])
ask("GET", "/echo?" + urllib.parse.urlencode(chance))
