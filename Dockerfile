# syntax=docker/dockerfile:1

# The build runs on the builder's own platform and crosses over to the target's:
# Go needs no emulation for that.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src

# Modules change less often than code: a layer of their own.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY cmd/ cmd/
COPY internal/ internal/
ARG TARGETOS TARGETARCH
ARG VERSION=dev
ARG REVISION=""
# Static (no cgo), with the time zones inside, and without anything of the machine
# that built it: the same source gives the same bytes.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -buildid= -X main.version=$VERSION -X main.commit=$REVISION" -o /out/syncer ./cmd/syncer

# Certificates, a user, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=dev
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="syncer" \
      org.opencontainers.image.description="finoOS to Parquet, every night, only what changed" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /out/syncer /usr/local/bin/syncer
# By number, so that a cluster can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/syncer"]
CMD ["--help"]
