"""Sounds: what a notification is heard by.

A project has its own, which it uploads, and those that come with Tocsin (`built_in`, made by `synthesis`); its own wins
where both have a name. A rule names a sound, or leaves it to the project's defaults: by topic, then by priority
(`defaults`). Which one it is, is decided when the notification is made, and kept with it.

What is uploaded is untrusted: a child process (`child`, started by `recoding`) decodes it and makes an MP3 of it, and
only that is kept. A sound never changes; it is deleted, unless something names it. So an address of its content
(`links`) holds good for ever, and is all that a player needs (`play_routes`).
"""
