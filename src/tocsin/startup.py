"""What every process of an installation works out first: master key, role names, database addresses."""

import sys
from dataclasses import dataclass, replace

from tocsin.kit import crash, log
from tocsin.kit.crypto import MasterKey
from tocsin.kit.dsn import with_login
from tocsin.kit.expected import Expected
from tocsin.kit.roles import Roles
from tocsin.settings import Settings


class NotConfigured(Expected):
    """Something an operator has to say is missing; the message says what and how."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The settings of one process, resolved."""

    settings: Settings
    master: MasterKey
    roles: Roles

    @property
    def installer_url(self) -> str:
        """The strong login, for `migrate`, `up` and `doctor` alone."""
        if self.settings.database_url is None:
            raise NotConfigured(
                "No database is given. Set TOCSIN_DATABASE_URL, or run `tocsin up`, which brings its own."
            )
        return str(self.settings.database_url)

    @property
    def app_url(self) -> str:
        """The login of API and workers: given, or made by `migrate` beside the installer's."""
        return self.app_urls[0]

    @property
    def app_urls(self) -> list[str]:
        """The same with the password of every accepted master key: while that rotates, `migrate` decides."""
        if self.settings.app_database_url is not None:
            return [str(self.settings.app_database_url)]
        passwords = self.master.database_passwords(self.roles.app)
        return [with_login(self.installer_url, self.roles.app, password) for password in passwords]

    @property
    def platform_url(self) -> str:
        """The login that reads across projects: given, or made by `migrate` beside the application's."""
        return self.platform_urls[0]

    @property
    def platform_urls(self) -> list[str]:
        if self.settings.platform_database_url is not None:
            return [str(self.settings.platform_database_url)]
        role = self.roles.platform
        return [with_login(self.app_url, role, password) for password in self.master.database_passwords(role)]

    def settled(self, **urls: str) -> "Installation":
        """The same with one of those addresses, as if it had been given."""
        return replace(self, settings=self.settings.model_copy(update=urls))


def installation(settings: Settings | None = None) -> Installation:
    """Read the environment, load or make the master key, and begin to log."""
    settings = settings or Settings()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    log.configure(as_json=as_json, level=settings.log_level)
    if settings.crash_at:
        crash.arm(settings.crash_at)
    secret = settings.master_key.get_secret_value() if settings.master_key else None
    accepted = settings.master_key_previous.get_secret_value() if settings.master_key_previous else None
    return Installation(settings, MasterKey.load(secret, settings.home, accepted), Roles(settings.db_role_prefix))
