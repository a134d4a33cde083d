"""Providers whose authentication only their SDK knows: Azure OpenAI, Claude on Bedrock and on Vertex.

The SDK signs and sends; what is sent and how the reply is read is ours. Its own retries are off, so that nothing is retried
twice, its own time limit is off, as the engine has one, and its client follows no redirect: httpx would take an `api-key`
header along to another host.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from judgebench.errors import CredentialError, InputError, ProviderError
from judgebench.generators.adapting import Adaptations, adapted_call
from judgebench.generators.anthropic_messages import messages_body, messages_response
from judgebench.generators.http import Secrets, json_object, status_error
from judgebench.generators.openai_chat import chat_body, chat_response
from judgebench.types import Request, Response

Body = Callable[[str, Request, Adaptations], dict[str, Any]]
Read = Callable[[Mapping[str, Any], str], Response]


class SDKGenerator:
    """A model behind an SDK client.

    Args:
        label: for people. identity: for the response log. model: its name. sdk: the SDK's module, whose exceptions are
            translated. client: makes its async client, when first needed, from that module and keyword arguments. path: of the
            resource whose `create` is called ("chat.completions" or "messages"). body, read: to and from the wire format.
        secrets: environment variables whose values may appear in no message and no response.
    """

    remote = True

    def __init__(
        self, label: str, identity: str, model: str, *, sdk: str, client: Callable[..., Any], path: str, body: Body, read: Read, secrets: Iterable[str] = ()
    ) -> None:  # fmt: skip
        self.label, self.identity, self.model = " ".join(label.split()), identity, model
        self._sdk_name, self._make, self._path, self._body, self._read = sdk, client, path, body, read
        self._secrets = Secrets(os.environ.get(name, "") for name in secrets)
        self._client: Any = None
        self.adaptations = Adaptations()

    async def generate(self, request: Request) -> Response:
        """Answer; a parameter that the model refuses is left out, then and from there on.

        Raises:
            ProviderError: the call failed. InputError: the SDK cannot call at all (no package, no credentials).
        """
        return await adapted_call(self.adaptations, lambda: self._body(self.model, request, self.adaptations), self._send, lambda raw: self._read(raw, self.label))

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        sdk = importlib.import_module(self._sdk_name)
        known = {k: body.pop(k) for k in ("model", "messages", "max_tokens") if k in body}
        try:
            reply = await self._resource(sdk).with_raw_response.create(**known, extra_body=body)
            raw: bytes = reply.http_response.content
        except sdk.APIStatusError as error:
            raise status_error(self.label, error.status_code, error.response.headers, self._secrets.scrubbed(error.response.content), self._secrets) from error
        except sdk.APITimeoutError as error:
            raise ProviderError(f"{self.label}: timed out", retryable=True, kind="timeout") from error
        except sdk.APIConnectionError as error:
            raise ProviderError(f"{self.label}: no connection ({self._secrets.line(str(error.__cause__ or error))})", retryable=True, kind="connection") from error
        except Exception as error:  # nothing of ours runs in there: the SDK or an authentication library has found no way to call
            raise self._no_way(error) from error
        return json_object(self._secrets.scrubbed(raw, answer=True), self.label, self._secrets)

    def _resource(self, sdk: Any) -> Any:
        if self._client is None:
            self._client = self._make(sdk, max_retries=0, timeout=None, http_client=sdk.DefaultAsyncHttpxClient(follow_redirects=False, timeout=None))
        resource = self._client
        for step in self._path.split("."):
            resource = getattr(resource, step)
        return resource

    def _no_way(self, error: Exception) -> InputError | ProviderError:
        """What an exception means that is no reply: a package or credentials are missing, or they could not be fetched now."""
        said = self._secrets.line(str(error)) or type(error).__name__
        if getattr(error, "retryable", False):  # google-auth's word for "the token server did not answer"
            return ProviderError(f"{self.label}: no credentials ({said})", retryable=True, kind="connection")
        if isinstance(error, ImportError):
            return InputError(f"{self.label}: {said}; install the package that it names")
        return CredentialError(f"{self.label}: {said}")

    async def close(self) -> None:
        """Close the SDK's client."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def azure_chat(deployment: str, endpoint: str) -> SDKGenerator:
    """A deployment on Azure OpenAI; key or token, endpoint and API version are read by the SDK from its environment."""
    return SDKGenerator(
        f"{deployment} on Azure", f"azure-openai {endpoint} {deployment}", deployment, sdk="openai", client=lambda sdk, **options: sdk.AsyncAzureOpenAI(**options),
        path="chat.completions", body=chat_body, read=chat_response, secrets=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    )  # fmt: skip


def bedrock_messages(model: str, region: str, base_url: str | None = None) -> SDKGenerator:
    """Claude on Amazon Bedrock; credentials are found as AWS tools find them.

    Args:
        model: its id there. region: of AWS. base_url: in place of the region's own, None for that.
    """
    return SDKGenerator(
        f"{model} on Bedrock", f"anthropic-bedrock {base_url or region} {model}", model, sdk="anthropic",
        client=lambda sdk, **options: sdk.AsyncAnthropicBedrock(aws_region=region, base_url=base_url, **options),
        path="messages", body=messages_body, read=messages_response, secrets=("AWS_BEARER_TOKEN_BEDROCK", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    )  # fmt: skip


def vertex_messages(model: str, region: str, project: str, base_url: str | None = None) -> SDKGenerator:
    """Claude on Google Vertex AI; credentials are Google's application default credentials.

    Args:
        model: its id there. region, project: of Google Cloud. base_url: in place of the region's own, None for that.
    """
    return SDKGenerator(
        f"{model} on Vertex", f"anthropic-vertex {base_url or region} {project} {model}", model, sdk="anthropic",
        client=lambda sdk, **options: sdk.AsyncAnthropicVertex(region=region, project_id=project, base_url=base_url, **options),
        path="messages", body=messages_body, read=messages_response,
    )  # fmt: skip
