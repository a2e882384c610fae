# A CGI script: prisn deploy examples/form.py, then curl localhost:7331/fn/form -d 'name=Ada&lines=2'
import os
import sys
from html import escape
from urllib.parse import parse_qs

form = parse_qs(sys.stdin.read() or os.environ.get("QUERY_STRING", ""))
name = form.get("name", [""])[0]
if not name:
    print("Status: 400 Bad Request")
print("Content-Type: text/html; charset=utf-8")
print()
print(f"<p>Hello, {escape(name)}!" if name else "<p>Who? Send name=…")
