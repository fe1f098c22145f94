// Send events with unmodified client libraries: `node from_node.js http://HOST:PORT`; prints how many, by user, as JSON.
const { Analytics } = require("@segment/analytics-node");
const Rudder = require("@rudderstack/rudder-sdk-node");
const snowplow = require("@snowplow/node-tracker");

const address = process.argv[2], key = "K-1";
const url = "https://www.acme.example/pricing?utm_source=letter";

async function bySegment(userId) {
  const client = new Analytics({ writeKey: key, host: address, flushInterval: 50 });
  client.page({ userId, name: "Pricing", properties: { url } });
  client.track({ userId, event: "Demo Requested", properties: { plan: "pro" } });
  client.identify({ userId, traits: { email: `${userId}@acme.example` } });
  for (let number = 0; number < 20; number++) client.track({ userId, event: "Demo Requested", properties: { number } });
  await client.closeAndFlush();
  return 23;
}

async function byRudder(userId) {
  const client = new Rudder(key, { dataPlaneUrl: address, flushInterval: 50 });
  client.page({ userId, name: "Pricing", properties: { url } });
  for (let number = 0; number < 24; number++) client.track({ userId, event: "Demo Requested", properties: { number } });
  client.identify({ userId, traits: { email: `${userId}@acme.example` } });
  await new Promise((resolve) => client.flush(resolve));
  return 26;
}

function bySnowplow(userId, eventMethod) {
  return new Promise((resolve, reject) => {
    let stored = 0;
    const tracker = snowplow.newTracker(
      { namespace: eventMethod, appId: "web", encodeBase64: eventMethod === "get" },
      {
        endpoint: address, eventMethod, bufferSize: 4,
        onRequestSuccess: (batch) => { stored += batch.length; if (stored === 4) resolve(4); },
        onRequestFailure: (failure) => reject(new Error(JSON.stringify(failure))),
      },
    );
    tracker.setUserId(userId);
    tracker.setDomainUserId(`device-of-${userId}`);
    tracker.track(snowplow.buildPageView({ pageUrl: url, pageTitle: "Pricing" }));
    tracker.track(snowplow.buildPagePing({ pageUrl: url, maxYOffset: 900 }));
    tracker.track(snowplow.buildStructEvent({ category: "video", action: "Video Watched" }));
    tracker.track(snowplow.buildSelfDescribingEvent({
      event: { schema: "iglu:example.acme/demo_requested/jsonschema/1-0-0", data: { plan: "pro" } },
    }));
    tracker.flush();
  });
}

async function main() {
  console.log(JSON.stringify({
    "segment-node": await bySegment("segment-node"),
    "rudder-node": await byRudder("rudder-node"),
    "snowplow-node-post": await bySnowplow("snowplow-node-post", "post"),
    "snowplow-node-get": await bySnowplow("snowplow-node-get", "get"),
  }));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
