"""Takes memory until there is none."""

kept = []
while True:
    kept.append(bytearray(b"x") * (16 << 20))
    print(f"{len(kept) * 16} MiB", flush=True)
