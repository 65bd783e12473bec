"""Addresses that no field of ours may lead to (H3; bad inputs 62 to 67)."""

INSIDE = [
    # 62: loopback in every notation
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    # 63: the same through IPv6
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[::127.0.0.1]/",
    "http://[fec0::1]/",
    # 64: metadata services
    "http://169.254.169.254/latest/meta-data",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://metadata.google.internal/",
    # 65: the same in other letters, and names of the inside
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://localhost./",
    "http://x.localhost/",
    "http://10.0.0.8/",
    "http://192.168.1.1/",
    "http://printer/",
]
NO_URL = [
    # 66
    "file:///etc/passwd",
    "gopher://1.1.1.1/",
    "ftp://1.1.1.1/",
    "javascript:alert(1)",
    "//1.1.1.1/",
    "https:///x",
    "https://a@1.1.1.1/",
    "https://a\\@1.1.1.1/",
    "https://1.1.1.1/\tx",
    "https://1.1.1.1/\nx",
    "https://1.1.1.1:0x50/",
]
# 67
PORTS = [22, 6379, 5432, 0, 65536]
