"""What stands behind every proxy: the upstream, and nginx in front of it for TLS."""

import os
import subprocess

from .nginx import nginx_process
from .processes import BenchError, Process
from .tools import find

TLS_FRONT = """
    upstream plain {{ server {upstream}; keepalive 512; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} ssl reuseport;
        ssl_certificate {folder}/leaf.pem;
        ssl_certificate_key {folder}/leaf.key;
        ssl_protocols TLSv1.3;
        location / {{
            proxy_pass http://plain;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""


def start_upstream(stack, bench):
    """Starts the upstream; gives its `HOST:PORT`."""
    argv = [bench.programs["bench_upstream"], "--recordings", bench.recordings.path]
    process = Process(argv, bench.rest, bench.log("upstream"))
    stack.enter_context(process)
    return process.json_line()["listen"]


def start_tls(stack, bench, upstream):
    """Starts TLS in front of the upstream; gives its port and the authority's file."""
    folder = bench.folder("tls")
    authority = _certificates(folder)
    _, port = nginx_process(stack, bench, "tls", bench.rest, TLS_FRONT, upstream=upstream)
    return port, authority


def _certificates(folder):
    """A certificate for 127.0.0.1 under an authority that lives as long as this run."""
    openssl = find("openssl")

    def run(*arguments):
        done = subprocess.run([openssl, *arguments], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"openssl {arguments[0]}: {done.stderr.strip()[-500:]}")

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *key, "-days", "2", "-subj", "/CN=bench authority",
        "-keyout", "authority.key", "-out", "authority.pem")
    run("req", *key, "-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr")
    with open(os.path.join(folder, "leaf.ext"), "w") as extensions:
        extensions.write("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("x509", "-req", "-in", "leaf.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
        "-CAcreateserial", "-days", "2", "-extfile", "leaf.ext", "-out", "leaf.pem")
    return os.path.join(folder, "authority.pem")
