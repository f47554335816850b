"""Whether this program can work with the tables that it finds."""

from gateway.db import migrate
from gateway.db.engine import Database
from gateway.errors import SettingsError


def require_tables(database: Database) -> None:
    """Make sure that this program can work with the tables; those that a later one has expanded will do.

    Raises:
        SettingsError: they are too old or too new; the message says what to do.
    """
    fit = migrate.fit(database)
    if fit in {migrate.Fit.EXACT, migrate.Fit.NEWER}:
        return
    present, needed = migrate.current(database), migrate.newest()
    tables = f"the tables of {database.url.render_as_string(hide_password=True)} are at {present or 'nothing'}"
    if fit is migrate.Fit.TOO_NEW:
        raise SettingsError(
            f"{tables}: a later version has changed them so that this one, which knows {needed}, cannot work with "
            "them; run the later version, or restore a backup from before its `ipx-gateway db upgrade`"
        )
    raise SettingsError(f"{tables}, this version needs {needed}: run `ipx-gateway db upgrade`")
