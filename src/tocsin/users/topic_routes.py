"""Topics over HTTP. What a person wishes of one is set with their preferences."""

from pydantic import Field

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.schema import Answer
from tocsin.users.preferences import TopicWishAnswer
from tocsin.users.topics import topics_here, topics_of

router = guarded_router(tags=["users"])


class TopicAnswer(Answer):
    name: str
    rules: int | None = Field(None, description="Active rules that name it; null where you ask as a person.")
    muted_by: int | None = Field(None, description="How many people have muted it; null where you ask as a person.")
    opt_in: bool = Field(description="It reaches only those who subscribe to it.")
    subscribers: int | None = Field(
        None, description="How many people have; null where it does not ask for it, and where you ask as a person."
    )
    wish: TopicWishAnswer | None = Field(None, description="What you chose; null where you see the whole project's.")


@router.get("/topics")
@needs("rules:read", own=True)
async def list_topics(call: Called) -> list[TopicAnswer]:
    """The topics that the project's rules name, by name, 500 at most.

    People see those by which they may be told something, with what they chose.
    """
    if call.own_only and call.principal.user_id is not None:
        mine = await topics_of(call.session, call.principal.user_id)
        return [
            TopicAnswer(name=each.name, opt_in=each.opt_in, wish=TopicWishAnswer.model_validate(each.wish))
            for each in mine
        ]
    return [TopicAnswer.model_validate(row) for row in await topics_here(call.session)]
