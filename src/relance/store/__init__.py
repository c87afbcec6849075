"""Content by digest: OCI layouts, container images and the runtime images made from them."""
