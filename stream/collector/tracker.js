// A small tracker for pages that load Segment's snippet from here, or this script alone, which calls what waits for it:
//   <script>analytics = [["page"]]</script>
//   <script async src="https://collect.example.com/analytics.js/v1/KEY/analytics.min.js"></script>
// It knows what the snippet knows: track, page, screen, identify, group, alias, ready, reset, user, setAnonymousId; and push,
// which is there before the script is: analytics.push(["track", "Demo Requested"]).
(function () {
  "use strict";
  var script = document.currentScript, source = (script && script.src) || location.href;
  var globalName = (script && script.getAttribute("data-global-segment-analytics-key")) || "analytics";
  var queued = window[globalName] || [];
  var key = queued._writeKey || decodeURIComponent((source.match(/\/v1\/([^/]+)\/analytics/) || [])[1] || "");
  var base = source.replace(/^([a-z]+:\/\/[^/]+).*$/, "$1") + "/v1/";
  var PATIENCE = 10, FIRST_MS = 500, LONGEST_MS = 30000;

  function stored(name, value) {
    try {
      if (value === undefined) return JSON.parse(localStorage.getItem(name));
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, JSON.stringify(value));
    } catch (error) { /* a browser without storage: a visitor a page */ }
    return value === undefined ? null : value;
  }

  function id() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, function () { return ((Math.random() * 16) | 0).toString(16); });
  }

  var anonymous = stored("ajs_anonymous_id") || stored("ajs_anonymous_id", id());
  var user = stored("ajs_user_id"), traits = stored("ajs_user_traits") || {};

  var there = null; // the page as it was when a queued call was made

  function campaign() {
    var found = {}, any = false;
    page().search.replace(/[?&]utm_([a-z]+)=([^&]*)/g, function (_, name, value) {
      any = true;
      try { found[name === "campaign" ? "name" : name] = decodeURIComponent(value.replace(/\+/g, " ")); } catch (error) { /* no UTF-8 */ }
    });
    return any ? found : undefined;
  }

  function page() {
    return there || {
      url: location.href.replace(/#.*/, ""), path: location.pathname, search: location.search,
      title: document.title, referrer: document.referrer
    };
  }

  function send(type, event) {
    event.type = type;
    event.messageId = "ls-" + id();
    event.anonymousId = event.anonymousId || anonymous;
    if (user !== null && event.userId === undefined) event.userId = user;
    event.timestamp = new Date().toISOString();
    event.context = {
      page: page(), campaign: campaign(), userAgent: navigator.userAgent, locale: navigator.language,
      library: { name: "leadstream.js", version: "1" }
    };
    event.writeKey = key;
    post(type, event, 1);
  }

  function post(type, event, attempt) {
    event.sentAt = new Date().toISOString();
    // text/plain: a browser need not ask first
    fetch(base + type, { method: "POST", body: JSON.stringify(event), headers: { "Content-Type": "text/plain" }, keepalive: true })
      .then(function (answer) { if (answer.status === 429 || answer.status >= 500) throw answer.headers.get("Retry-After"); })
      .catch(function (wait) {
        if (attempt >= PATIENCE) return;
        var ms = typeof wait === "string" ? wait * 1000 : Math.min(LONGEST_MS, FIRST_MS * Math.pow(2, attempt - 1));
        setTimeout(post, ms * (1 + Math.random() / 4), type, event, attempt + 1);
      });
  }

  function viewed(type) {
    return function (category, name, properties) {
      if (typeof name !== "string") { properties = name; name = category; category = undefined; }
      if (typeof name === "object") { properties = name; name = undefined; }
      var told = properties && typeof properties === "object" ? properties : {};
      send(type, { name: name || undefined, category: category, properties: Object.assign({}, page(), told) });
    };
  }

  var methods = {
    track: function (event, properties) { send("track", { event: event, properties: properties || {} }); },
    page: viewed("page"),
    screen: viewed("screen"),
    identify: function (userId, told) {
      if (userId && typeof userId === "object") { told = userId; userId = user; }
      if (user && userId && String(userId) !== String(user)) methods.reset(); // another person at this browser
      user = stored("ajs_user_id", userId === undefined || userId === null ? user : userId);
      traits = stored("ajs_user_traits", Object.assign(traits, told || {}));
      send("identify", { traits: traits });
    },
    group: function (groupId, told) { send("group", { groupId: groupId, traits: told || {} }); },
    alias: function (userId, previousId) { send("alias", { userId: userId, previousId: previousId || anonymous }); },
    ready: function (then) { if (typeof then === "function") then(); },
    setAnonymousId: function (told) { anonymous = stored("ajs_anonymous_id", told || id()); },
    reset: function () {
      user = stored("ajs_user_id", null);
      traits = {};
      stored("ajs_user_traits", null);
      anonymous = stored("ajs_anonymous_id", id());
    },
    user: function () {
      return { id: function () { return user; }, anonymousId: function () { return anonymous; }, traits: function () { return traits; } };
    }
  };

  // Segment's snippet 5 puts the page of a call behind its arguments
  function whereFrom(told) {
    var last = told[told.length - 1];
    if (!last || last.__t !== "bpc") return null;
    told.pop();
    return {
      url: String(last.u || location.href).replace(/#.*/, ""), path: last.p || location.pathname,
      search: typeof last.s === "string" ? last.s : location.search, title: last.t || "", referrer: last.r || ""
    };
  }

  function take(call) {
    var method = call && methods[call[0]], told = Array.prototype.slice.call(call || [], 1);
    there = whereFrom(told);
    if (method) method.apply(null, told);
    there = null;
  }

  var waiting = Array.isArray(queued) ? queued.slice() : [];
  window[globalName] = Object.assign({ initialized: true, push: take }, methods);
  waiting.forEach(take);
})();
