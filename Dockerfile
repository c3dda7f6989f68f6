# Builds the wheel with the locked dependencies, then installs both into a small image.
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /source
COPY . .
RUN uv export --quiet --locked --no-dev --no-emit-project --output-file /wheels/requirements.txt \
 && uv build --wheel --out-dir /wheels

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --require-hashes --requirement /wheels/requirements.txt \
 && pip install --no-cache-dir --no-deps /wheels/*.whl \
 && rm -r /wheels \
 && useradd --system headgate \
 && install --directory --owner headgate /var/lib/headgate
ENV HEADGATE_STATE_DIR=/var/lib/headgate PYTHONUNBUFFERED=1
USER headgate
EXPOSE 8000
ENTRYPOINT ["headgate"]
CMD ["edge"]
