"""nginx `proxy_pass`: the yardstick. One worker, keep-alive on both sides, no log."""

import contextlib
import os

from .processes import Process, accepts, free_port
from .tools import find

MAIN = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""

# Streams must not wait in a buffer; whole answers are faster with one, and it is the default.
PROXY = """
    upstream plain {{ server {upstream}; keepalive 2048; keepalive_requests 100000000; }}
    upstream secure {{ server 127.0.0.1:{tls_port}; keepalive 512; keepalive_requests 100000000; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{port};
        location /v1/ {{ proxy_pass http://plain; }}
        location /stream/ {{ proxy_buffering off; proxy_pass http://plain/; }}
        location /tls/ {{ proxy_ssl_protocols TLSv1.3; proxy_pass https://secure/; }}
    }}
"""


def nginx_process(stack, bench, name, core, servers, **names):
    """Starts an nginx with these server blocks on a free port."""
    folder, port = bench.folder(name), free_port()
    servers = servers.format(port=port, folder=folder, **names)
    # As root it would give its workers to a user that may not read the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(MAIN.format(user=user, folder=folder, servers=servers))
    log = bench.log(name)
    process = Process([find("nginx"), "-e", log, "-p", folder, "-c", path], core, log)
    stack.enter_context(process)
    process.wait_until(lambda: accepts(port), 10, "it did not listen")
    return process, port


class Nginx:
    name, title, kind = "nginx", "nginx `proxy_pass`", "nginx"
    metrics = ("whole", "saturated", "paced", "tls")
    headers = ()

    def __init__(self, bench):
        self.bench = bench

    @contextlib.contextmanager
    def running(self):
        """Runs for one round; gives the pid and a URL for each metric."""
        bench = self.bench
        with contextlib.ExitStack() as stack:
            process, port = nginx_process(
                stack, bench, "nginx", bench.subject, PROXY,
                upstream=bench.upstream, tls_port=bench.tls_port or 1,
            )
            base = f"http://127.0.0.1:{port}"
            chat = "v1/chat/completions"
            yield process.pid, {
                "whole": f"{base}/{chat}",
                "saturated": f"{base}/stream/{chat}",
                "paced": f"{base}/stream/{chat}",
                "tls": f"{base}/tls/{chat}",
            }
