// Send events with the unmodified trackers of browsers, in pages of jsdom, which asks for CORS as a browser does:
// `node from_pages.js http://HOST:PORT`; prints how many, by user, as JSON.
const { readFileSync } = require("fs");
const { JSDOM, VirtualConsole } = require("jsdom");

const address = process.argv[2], key = "K-1";
const url = "https://www.acme.example/pricing?utm_source=letter";
const rudderScript = "node_modules/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js";

const errorsOnly = { ...console, log() {}, info() {}, debug() {} };

function open() {
  const html = "<!doctype html><title>Pricing</title><script></script>";
  const { window } = new JSDOM(html, {
    url, pretendToBeVisual: true, runScripts: "outside-only", virtualConsole: new VirtualConsole().sendTo(errorsOnly),
  });
  Object.assign(window, { fetch, TextEncoder, TextDecoder }); // jsdom has none
  return window;
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Make the page's window what modules of node find when they look for a browser. */
function pretend() {
  const window = open();
  for (const name of ["document", "navigator", "location", "localStorage", "sessionStorage", "XMLHttpRequest", "CustomEvent", "screen"]) {
    Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
  }
  globalThis.window = globalThis.self = window;
}

async function bySegment(user) {
  const { AnalyticsBrowser } = require("@segment/analytics-next");
  const client = AnalyticsBrowser.load({ writeKey: key, cdnURL: address });
  await client.identify(user, { email: `${user}@acme.example` });
  await client.page("Docs", "Pricing");
  await client.track("Demo Requested", { plan: "pro" });
  return 3;
}

async function byRudder(user) {
  const window = open();
  let stored = 0;
  class Counted extends window.XMLHttpRequest {
    constructor() {
      super();
      this.addEventListener("load", () => { if (this.status === 200 && this.responseURL.includes("/v1/")) stored += 1; });
    }
  }
  window.XMLHttpRequest = Counted;
  window.eval(readFileSync(rudderScript, "utf8"));
  const client = new window.rudderanalytics.RudderAnalytics();
  client.load(key, address, { configUrl: address, polyfillIfRequired: false });
  await new Promise((resolve) => client.ready(resolve));
  client.identify(user, { email: `${user}@acme.example` });
  client.page("Docs", "Pricing");
  client.track("Demo Requested", { plan: "pro" });
  while (stored < 3) await wait(20);
  return 3;
}

async function bySnowplow(user, eventMethod) {
  const { newTracker, setUserId, trackPageView, trackStructEvent } = require("@snowplow/browser-tracker");
  let stored = 0;
  newTracker(eventMethod, address, { appId: "web", eventMethod, onRequestSuccess: (batch) => { stored += batch.length; } });
  setUserId(user, [eventMethod]);
  trackPageView({}, [eventMethod]);
  trackStructEvent({ category: "video", action: "Video Watched" }, [eventMethod]);
  while (stored < 2) await wait(20);
  return 2;
}

async function main() {
  const byRudders = await byRudder("rudder-page");
  pretend();
  console.log(JSON.stringify({
    "rudder-page": byRudders,
    "segment-page": await bySegment("segment-page"),
    "snowplow-page-post": await bySnowplow("snowplow-page-post", "post"),
    "snowplow-page-get": await bySnowplow("snowplow-page-get", "get"),
  }));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
