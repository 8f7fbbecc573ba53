// Runs once, when the store's volume is first used: a user for each service, who may read and write
// that service's database and nothing else. SCRAM-SHA-256 is what the server makes of a password.
for (const service of ["ingest", "segmenter", "notifier", "sentiment"]) {
  const password = process.env[`${service.toUpperCase()}_MONGODB_PASSWORD`];
  if (!password) {
    throw new Error(`${service} has no password`);
  }
  db.getSiblingDB(service).createUser({
    user: service,
    pwd: password,
    roles: [{ role: "readWrite", db: service }],
  });
}
