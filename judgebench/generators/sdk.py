"""Providers whose authentication only their SDK knows: Azure OpenAI, Claude on Bedrock and on Vertex.

The SDK signs and sends; what is sent and how the reply is read is ours, and the SDK's own retries are off, so that nothing
is retried twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from judgebench.errors import InputError, ProviderError
from judgebench.generators.adapting import Adaptations, refused_parameter
from judgebench.generators.anthropic_messages import messages_body, messages_response
from judgebench.generators.http import status_error
from judgebench.generators.openai_chat import chat_body, chat_response, content_filtered
from judgebench.types import Request, Response

Body = Callable[[str, Request, Adaptations, Mapping[str, Any]], dict[str, Any]]
Read = Callable[[Mapping[str, Any], str], Response]


class SDKGenerator:
    """A model behind an SDK client.

    Args:
        label: for people. identity: for the response log. model: its name. client: makes the SDK's async client when first
            needed. path: of the resource whose `create` is called ("chat.completions" or "messages").
        body, read: to and from the wire format. errors: the SDK's module, whose exceptions are translated.
    """

    remote = True

    def __init__(self, label: str, identity: str, model: str, client: Callable[[], Any], path: str, body: Body, read: Read, errors: str) -> None:
        self.label, self.identity, self.model = label, identity, model
        self._make, self._path, self._body, self._read, self._errors = client, path, body, read, errors
        self._client: Any = None
        self.adaptations = Adaptations()

    async def generate(self, request: Request) -> Response:
        """Answer; a parameter that the model refuses is left out, then and from there on."""
        for _ in range(5):
            body = self._body(self.model, request, self.adaptations, {})
            try:
                return self._read(await self._send(body), self.label)
            except ProviderError as error:
                filtered = content_filtered(error)
                if filtered is not None:
                    return filtered
                if not self.adaptations.adapted(refused_parameter(error), body):
                    raise
        raise ProviderError(f"{self.label}: refuses every form of the request", retryable=False)

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        sdk = __import__(self._errors)
        if self._client is None:
            self._client = self._made()
        resource = self._client
        for step in self._path.split("."):
            resource = getattr(resource, step)
        known = {k: body.pop(k) for k in ("model", "messages", "max_tokens") if k in body}
        try:
            reply = await resource.with_raw_response.create(**known, extra_body=body)
            text = reply.text if isinstance(reply.text, str) else reply.text()
        except sdk.APIStatusError as error:
            raise status_error(self.label, error.status_code, error.response.headers, error.response.content) from error
        except sdk.APITimeoutError as error:
            raise ProviderError(f"{self.label}: timed out", retryable=True, kind="timeout") from error
        except sdk.APIConnectionError as error:
            raise ProviderError(f"{self.label}: no connection", retryable=True, kind="connection") from error
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ProviderError(f"{self.label}: 200 with a body that is not JSON", retryable=True, kind="bad_body") from error
        if not isinstance(value, dict):
            raise ProviderError(f"{self.label}: 200 with JSON that is no object", retryable=True, kind="bad_body")
        return value

    def _made(self) -> Any:
        try:
            return self._make()
        except ImportError as error:
            raise InputError(f"{self.label}: {error}; install what it names") from error
        except Exception as error:
            if type(error).__module__.split(".")[0] == self._errors:  # the SDK's own complaint about its environment
                raise InputError(f"{self.label}: {' '.join(str(error).split())[:200]}") from error
            raise

    async def close(self) -> None:
        """Close the SDK's client."""
        if self._client is not None:
            await self._client.close()


def azure_chat(deployment: str, endpoint: str) -> SDKGenerator:
    """A deployment on Azure OpenAI; key or token, endpoint and API version are read by the SDK from its environment."""

    def client() -> Any:
        import openai

        return openai.AsyncAzureOpenAI(max_retries=0)

    return SDKGenerator(f"{deployment} on Azure", f"azure-openai {endpoint} {deployment}", deployment, client, "chat.completions", chat_body, chat_response, "openai")


def bedrock_messages(model: str, region: str) -> SDKGenerator:
    """Claude on Amazon Bedrock; credentials are found as AWS tools find them."""

    def client() -> Any:
        import anthropic

        return anthropic.AsyncAnthropicBedrock(max_retries=0)

    return SDKGenerator(f"{model} on Bedrock", f"anthropic-bedrock {region} {model}", model, client, "messages", messages_body, messages_response, "anthropic")


def vertex_messages(model: str, region: str, project: str) -> SDKGenerator:
    """Claude on Google Vertex AI; credentials are Google's application default credentials."""

    def client() -> Any:
        import anthropic

        return anthropic.AsyncAnthropicVertex(region=region, project_id=project, max_retries=0)

    return SDKGenerator(f"{model} on Vertex", f"anthropic-vertex {region} {project} {model}", model, client, "messages", messages_body, messages_response, "anthropic")
