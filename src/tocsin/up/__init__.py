"""`tocsin up`: one process that runs everything on one machine.

It holds a lock in HOME, brings the database up to date, keeps one API and one worker alive, and shows one
screen. What it starts ends with it, also when it is killed with signal 9 (on Linux; elsewhere the next
`tocsin up` ends what was left over). POSIX only, as the embedded database is.
"""
