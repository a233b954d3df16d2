# The image: the program, statically linked, and nothing else.
#
#   docker build --tag gateprobe .                                        builds the program in the image BUILDER
#   docker build --tag gateprobe --build-arg BINARY=prebuilt FOLDER       takes FOLDER/gateprobe (with --file Dockerfile)
#
# `make image` does the second. Authorities: the program carries Mozilla's roots. To trust others, mount a bundle and
# point SSL_CERT_FILE at it.
ARG BUILDER=docker.io/library/rust:1.95-bookworm
ARG BINARY=compiled

FROM ${BUILDER} AS compiled
WORKDIR /src
COPY . .
ARG REVISION
# With a target named, the flags are not those of build scripts and macros, which can't be linked like this.
RUN export GATEPROBE_REVISION="${REVISION}" \
    && target=$(rustc --print host-tuple) \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --locked --profile dist --bin gateprobe --target "$target" \
    && install -D "target/$target/dist/gateprobe" /out/gateprobe

FROM scratch AS prebuilt
COPY gateprobe /out/gateprobe

# hadolint ignore=DL3006
FROM ${BINARY} AS program

FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="gateprobe" \
      org.opencontainers.image.description="Synthetic monitoring for production WebSocket gateways" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=program /out/gateprobe /gateprobe
# Nobody; by number, since there is no /etc/passwd.
USER 65534:65534
# In a container, the loopback is of use to nobody.
ENV GATEPROBE__HTTP__LISTEN=0.0.0.0:9464
EXPOSE 9464
ENTRYPOINT ["/gateprobe"]
CMD ["run", "--config=/etc/gateprobe/gateprobe.yaml"]
