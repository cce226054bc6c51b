# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster is reached, documented once (module_utils/kube/auth.py reads it)."""

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by every module that talks to a cluster."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, several paths separated by colons, or the kubeconfig itself as a mapping or as
        YAML or JSON text.
      - E(K8S_AUTH_KUBECONFIG) is used where this is not set, then E(KUBECONFIG), C(~/.kube/config), and the
        service account of the pod.
      - Secrets of an inline kubeconfig are never shown.
    type: raw
  context:
    description:
      - Name of the kubeconfig's context. E(K8S_AUTH_CONTEXT) is used where this is not set.
    type: str
  host:
    description:
      - URL of the API server, as C(https://NAME:PORT). E(K8S_AUTH_HOST) is used where this is not set.
    type: str
  api_key:
    description:
      - Bearer token. E(K8S_AUTH_API_KEY) is used where this is not set.
    type: str
  username:
    description:
      - User of HTTP basic authentication, as some proxies before an API server want it. E(K8S_AUTH_USERNAME) is
        used where this is not set.
    type: str
  password:
    description:
      - Password of O(username). E(K8S_AUTH_PASSWORD) is used where this is not set.
    type: str
  validate_certs:
    description:
      - Whether the API server's certificate is verified. E(K8S_AUTH_VERIFY_SSL) is used where this is not set.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - File with the certificate authorities that the API server's certificate is verified against.
        E(K8S_AUTH_SSL_CA_CERT) is used where this is not set.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - File with a client certificate. E(K8S_AUTH_CERT_FILE) is used where this is not set.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - File with the key of O(client_cert). E(K8S_AUTH_KEY_FILE) is used where this is not set.
    type: path
    aliases: [key_file]
  proxy:
    description:
      - URL of an HTTP proxy on the way to the API server. E(K8S_AUTH_PROXY) is used where this is not set.
    type: str
  no_proxy:
    description:
      - Hosts, separated by commas, that are reached without O(proxy). E(K8S_AUTH_NO_PROXY) is used where this is
        not set.
    type: str
  proxy_headers:
    description:
      - Headers for the proxy. Each is also read from E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH),
        E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH)
        and E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
    type: dict
    suboptions:
      proxy_basic_auth:
        description: V(user:password) for the proxy itself.
        type: str
      basic_auth:
        description: V(user:password) for basic authentication behind it.
        type: str
      user_agent:
        description: The user agent that the proxy sees.
        type: str
  persist_config:
    description:
      - Whether a token that was refreshed is written back to the kubeconfig file. E(K8S_AUTH_PERSIST_CONFIG) is
        used where this is not set.
    type: bool
  impersonate_user:
    description:
      - User to act as. E(K8S_AUTH_IMPERSONATE_USER) is used where this is not set.
    type: str
  impersonate_groups:
    description:
      - Groups to act as. E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas, is used where this is not set.
    type: list
    elements: str
requirements:
  - kubernetes >= 28.1 (but neither 36.0.0 nor 36.0.1, which send no bearer token)
"""
