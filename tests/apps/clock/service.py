"""A service that answers with the time of day: what day it is, what day it was at its start, and the full instant where asked.

While it is recorded, DATES says what it answers instead, a date for each request, so that a recording can be of any day."""

import datetime
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

dates = [date for date in os.environ.get("DATES", "").split(",") if date]


def today():
    return str(datetime.datetime.now(datetime.timezone.utc).date())


started = dates[0] if dates else today()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = str(time.time_ns()) if self.path == "/instant" else f"{started} {dates.pop(0) if dates else today()}"
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
