"""RedBeat finds its Redis, and a worker that is asked for its configuration does not tell the password."""

from pydantic import SecretStr

from topshelf.settings import Settings
from workers.celery_app import create_app

URL = "redis://:sesame-4711@127.0.0.1:6379/0"


def test_redbeat_takes_the_durable_redis(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"durable_url": SecretStr(URL)}))
    assert app.redbeat_conf.redis_url == URL
    assert app.redbeat_conf.key_prefix == f"{settings.key_prefix}redbeat:"


def test_the_configuration_that_celery_tells_holds_no_password(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"durable_url": SecretStr(URL)}))
    told = str(app.conf.table())
    assert "127.0.0.1:6379" in told
    assert "sesame" not in told
    app.conf.redbeat_redis_url = URL
    assert "sesame" in str(app.conf.table())  # which is why it is not there
