// The whole project on Railway: Redis, a bucket, the API and workers.
//
//   railway config plan      shows what would change
//   railway config apply     does it
//
// A variable that is not listed here is deleted by apply. So each setting of
// Longhaul is listed: with a value, or to be kept as it is in the dashboard.
import { bucket, defineRailway, github, preserve, project, redis, ref, service } from "railway/iac";

const repo = "longhaul/longhaul"; // your fork

// Seconds between SIGTERM and SIGKILL; without the number it is 0, and each deploy
// kills what runs. Longhaul keeps 5 of them for its last writes.
const draining = { api: 30, worker: 120 };

const keep = (...names: string[]) => Object.fromEntries(names.map((name) => [name, preserve()]));

export default defineRailway(() => {
  const db = redis("Redis");
  const outputs = bucket("outputs", { region: "iad" });

  const both = {
    REDIS_URL: db.env.REDIS_URL,
    ARTIFACTS_URL: "s3:///outputs",
    BUCKET: ref(outputs, "BUCKET"),
    ENDPOINT: ref(outputs, "ENDPOINT"),
    REGION: ref(outputs, "REGION"),
    ACCESS_KEY_ID: ref(outputs, "ACCESS_KEY_ID"),
    SECRET_ACCESS_KEY: ref(outputs, "SECRET_ACCESS_KEY"),
    ...keep(
      "METRICS_TOKEN", "PPROF_TOKEN", "PARTITIONS", "ENGINES_FILE", "MAX_EXECUTION_DURATION", "RETENTION", "LOG_REDIS_BYTES", "LOG_HOT_TTL", "FOLD_AFTER",
      "CANCEL_GRACE", "WEBHOOK_SECRET", "WEBHOOK_ALLOW_NETWORKS", "LOG_LEVEL",
      "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
    ),
  };

  const api = service("api", {
    source: github(repo),
    build: { builder: "DOCKERFILE", dockerfilePath: "Dockerfile.api" },
    deploy: {
      healthcheckPath: "/ready", // looks at Redis: a wrong REDIS_URL fails the deploy instead of replacing what works
      healthcheckTimeout: 300,
      restartPolicyType: "ALWAYS", // ON_FAILURE leaves a process that ended well where it is
      overlapSeconds: 10,
      drainingSeconds: draining.api,
    },
    replicas: 2,
    env: {
      ...both,
      RAILWAY_DEPLOYMENT_DRAINING_SECONDS: String(draining.api),
      API_TOKENS: preserve(), // openssl rand -hex 16
      ...keep(
        "STREAM_TOKEN_SECRET", "CORS_ORIGINS", "MAX_QUEUE_SIZE", "MAX_REQUEST_BYTES", "IDEMPOTENCY_TTL", "MAX_SSE_DURATION", "SSE_RESPONSE_LIMIT",
        "SSE_KEEPALIVE_INTERVAL", "MONITORING_URL", "MAX_UPLOAD_BYTES",
      ),
    },
  });

  const worker = service("worker", {
    source: github(repo),
    build: { builder: "DOCKERFILE", dockerfilePath: "Dockerfile.worker" },
    deploy: {
      healthcheckPath: "/ready",
      healthcheckTimeout: 300,
      restartPolicyType: "ALWAYS",
      overlapSeconds: 0,
      drainingSeconds: draining.worker,
    },
    replicas: 3,
    env: {
      ...both,
      PORT: "8081", // the image's WORKER_PORT, where Railway's health check asks
      RAILWAY_DEPLOYMENT_DRAINING_SECONDS: String(draining.worker),
      ...keep(
        "WORKDIR", "WORKDIR_MIN_FREE", "QUEUES", "MAX_CONCURRENT", "SPOOL_MAX_BYTES", "METRICS_INTERVAL", "ARTIFACTS_MAX_FILES", "ARTIFACTS_MAX_BYTES",
        "CHECKPOINT_INTERVAL", "CHECKPOINT_MAX_BYTES",
        // Secrets of engines: those that engines.yaml names.
        "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL",
      ),
    },
  });

  // Asynq's dashboard for operators. Leave it out of the resources below if you want none.
  const monitoring = service("monitoring", {
    source: github(repo),
    build: { builder: "DOCKERFILE", dockerfilePath: "Dockerfile.monitoring" },
    deploy: { healthcheckPath: "/health", healthcheckTimeout: 300, restartPolicyType: "ALWAYS" },
    replicas: 1,
    env: {
      REDIS_URL: db.env.REDIS_URL,
      OPERATOR_TOKENS: preserve(), // openssl rand -hex 16
      ...keep("MONITORING_ACTIONS", "LONGHAUL_URL", "LONGHAUL_TOKEN", "LOG_LEVEL"),
    },
  });

  return project("longhaul", { resources: [db, outputs, api, worker, monitoring] });
});
