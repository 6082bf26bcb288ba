"""DynamoDB-JSON as data: what a tool stores that marshals a value twice."""

from service.core.item.wire import AttributeValue


def marshalled(value: AttributeValue) -> AttributeValue:
    """The map that holds ``value``: its DynamoDB-JSON, marshalled again."""
    ((tag, content),) = value.items()
    return {"M": {tag: _content(tag, content)}}


def _content(tag: str, content: object) -> AttributeValue:
    if isinstance(content, bool):
        return {"BOOL": content}
    if isinstance(content, dict):
        return {"M": {name: marshalled(inner) for name, inner in content.items()}}
    if isinstance(content, list):
        return {"L": [marshalled(inner) if tag == "L" else _content(tag[0], inner) for inner in content]}
    return {"B": content} if tag == "B" else {"S": content}
