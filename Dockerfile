FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /claudemesh ./cmd/claudemesh
RUN install -d -m 0700 /data

FROM scratch
COPY --from=build /claudemesh /claudemesh
COPY --from=build --chown=65532:65532 /data /data
ENV CLAUDEMESH_CONFIG_DIR=/data PATH=/
USER 65532:65532
VOLUME /data
ENTRYPOINT ["/claudemesh"]
CMD ["node", "run"]
