import asyncio, http.client, json, logging, ssl, urllib.request

print('hello')
