"use strict";
// Keys of the review desk. Everything here is also a link or a form: without this file nothing is lost but speed.
(function () {
  var reason = "", chosen = "";

  function rows() { return Array.prototype.slice.call(document.querySelectorAll("tr[data-row]")); }
  function current() { return document.querySelector("tr[data-row].current"); }
  function choose(row) {
    if (!row) { return; }
    rows().forEach(function (one) { one.classList.remove("current"); });
    row.classList.add("current");
    chosen = row.id;
    var link = row.querySelector("a.open");
    if (link) { link.focus({ preventScroll: true }); }
    row.scrollIntoView({ block: "nearest" });
  }
  function move(step) {
    var all = rows(), at = all.indexOf(current());
    choose(all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + step))]);
  }
  function next(from) {
    var all = rows(), at = all.findIndex(function (one) { return one.id === from; });
    choose(all[Math.min(all.length - 1, at + 1)]);
  }
  function follow(name) {
    var row = current(), link = (row || document).querySelector("[data-key='" + name + "']");
    if (!link) { return false; }
    if (link.tagName === "A" || link.tagName === "BUTTON") { link.click(); } else { link.focus(); link.scrollIntoView({ block: "center" }); }
    return true;
  }
  function typing(target) {
    return target && (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && !/^(checkbox|radio)$/.test(target.type));
  }
  function drop(row) { if (row) { row.remove(); } }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") {
      var open = document.querySelector("tr.quick");
      if (open) { drop(open); choose(current()); }
      return;
    }
    if (typing(event.target)) { return; }
    var known = true;
    switch (event.key) {
      case "j": move(1); break;
      case "k": move(-1); break;
      case "a": case "x": case "o": case "c": case "u": known = follow(event.key); break;
      case "/": known = follow("search") || focusOn("input[name=search]"); break;
      case "?": help(); break;
      default: known = false;
    }
    if (known) { event.preventDefault(); }
  });
  function focusOn(selector) {
    var found = document.querySelector(selector);
    if (found) { found.focus(); found.select(); }
    return Boolean(found);
  }
  function help() {
    var box = document.getElementById("keys");
    if (box && box.showModal) { box.showModal(); } else { location.href = "/help"; }
  }
  document.addEventListener("click", function (event) {
    var row = event.target.closest && event.target.closest("tr[data-row]");
    if (row && !event.target.closest("a,button,input,select")) { choose(row); }
    var off = event.target.closest && event.target.closest("[data-close]");
    if (off) { var box = off.closest("dialog"); if (box) { box.close(); } else { drop(off.closest("tr.quick")); } event.preventDefault(); }
  });
  document.addEventListener("change", function (event) {
    if (event.target.id === "all") {
      document.querySelectorAll("input[name=keys]").forEach(function (one) { one.checked = event.target.checked; });
    }
  });
  document.addEventListener("submit", function (event) {
    var field = event.target.querySelector && event.target.querySelector("tr.quick [name=reason], [name=reason]");
    if (field && field.value) { reason = field.value; }
  }, true);
  function swapped() {
    if (!current() && document.getElementById(chosen)) { document.getElementById(chosen).classList.add("current"); }
    var open = Array.prototype.slice.call(document.querySelectorAll("tr.quick"));
    open.slice(0, -1).forEach(drop);
    var last = open[open.length - 1];
    if (last) {
      var field = last.querySelector("[name=reason]");
      if (field && document.activeElement !== field && !last.dataset.seen) {
        last.dataset.seen = "1";
        if (!field.value) { field.value = reason; }
        field.focus(); field.select();
      }
    }
    document.querySelectorAll("tr[data-done]").forEach(function (row) {
      row.removeAttribute("data-done");
      drop(document.getElementById("quick-" + row.dataset.row));
      next(row.id);
    });
  }
  document.addEventListener("htmx:after:swap", swapped);
  document.addEventListener("DOMContentLoaded", function () { if (rows().length && !location.hash) { move(0); } });
}());
