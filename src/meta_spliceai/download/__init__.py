"""Bringing files from public servers: resumed where they broke off, and never kept unless their checksum is right.

checksums  the sums that public archives publish, and a file's own
remote     what is known of a file before it is fetched
transfer   one file, through everything a server and a network can do
fetch      several files into a folder
"""
