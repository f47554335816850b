// The kit's own behaviour, for the components that the consoles use, and what pages need of htmx.
import {
  Button,
  CharacterCount,
  ErrorSummary,
  NotificationBanner,
  ServiceNavigation,
  SkipLink,
  Tabs,
  createAll,
} from "govuk-frontend";

const components = [Button, CharacterCount, ErrorSummary, NotificationBanner, ServiceNavigation, SkipLink, Tabs];
const start = (scope) => components.forEach((component) => createAll(component, {}, { scope, onError: () => {} }));

start(document);

document.body.addEventListener("htmx:afterSwap", (event) => {
  const replaced = event.detail.target;
  start(replaced);
  const focus = replaced.querySelector("[data-focus-when-replaced]");
  if (focus) {
    focus.setAttribute("tabindex", "-1");
    focus.focus();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

const local = (time) => {
  const moment = new Date(time.getAttribute("datetime"));
  if (!Number.isNaN(moment.valueOf())) time.title = moment.toLocaleString(document.documentElement.lang);
};
document.querySelectorAll("time[datetime]").forEach(local);
