"""Single sign-on of a project's people by OpenID Connect (A4): authorization code, PKCE, state and nonce.

The browser's way: ``start`` seals the flow into a cookie and sends the browser to the provider; ``callback`` takes
it back, asks the provider who that is, decides who that is here, and sends the browser to the project's app with a
code that is good for a minute and once; the app turns it into tokens. A token never stands in a URL.

- ``provider``: what the issuer says of itself, and its keys
- ``redeem``: the authorization code becomes a checked identity
- ``people``: an identity becomes a person of the project, or not
- ``tickets``: what travels sealed, so that an unfinished sign-in needs no row
- ``required``: projects that refuse passwords

A flow is ``begun`` (cookie set, ten minutes), ``used`` once the browser came back, whatever came of it.

People are configuration of the live environment, and so is who vouches for them: a test caller may read how single
sign-on is set up and not change it, people of the sandbox do not sign in by it, and the tokens it leads to work in
both environments, like those of a password.
"""
