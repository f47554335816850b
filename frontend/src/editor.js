// Cedar text in CodeMirror, over a <textarea data-cedar> that stays the truth: without this script it is edited as it is.
//   data-validate   address that judges the text; answers {"findings": [{"message", "policy", "severity"}]}
//   data-findings   id of the element that lists the findings for everybody
//   data-nonce      of this page, for the styles that CodeMirror makes
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, linter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";

const KEYWORDS = /^(permit|forbid|when|unless|principal|action|resource|context|in|has|like|is|if|then|else|true|false)\b/;
const cedar = StreamLanguage.define({
  name: "cedar",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^\/\/.*/)) return "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^@\w+/)) return "meta";
    if (stream.match(KEYWORDS)) return "keyword";
    if (stream.match(/^-?\d+/)) return "number";
    if (stream.match(/^\w+(::\w+)*/)) return "variableName";
    stream.next();
    return null;
  },
});

// Colours stand in console.scss, for light and dark.
const colours = HighlightStyle.define(
  Object.entries({ comment: tags.comment, string: tags.string, meta: tags.meta, keyword: tags.keyword, number: tags.number }).map(
    ([name, tag]) => ({ tag, class: `cedar-${name}` }),
  ),
);

const DELAY = 400;

// Cedar names the policy of a finding, not its place: the whole policy is marked.
const placeOf = (text, policy) => {
  const start = policy ? text.indexOf(`@id("${policy}")`) : -1;
  if (start < 0) return { from: 0, to: text.length };
  const next = text.indexOf('@id("', start + 1);
  const end = next < 0 ? text.length : next;
  return { from: start, to: start + text.slice(start, end).trimEnd().length };
};

const judge = (textarea) => async (view) => {
  const text = view.state.doc.toString();
  const token = document.querySelector("input[name=csrf_token]")?.value ?? "";
  const answer = await fetch(textarea.dataset.validate, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ text }),
  });
  if (!answer.ok) return [];
  const { findings } = await answer.json();
  tell(textarea, findings);
  return findings.map(({ message, policy, severity }) => ({ ...placeOf(text, policy), severity: severity ?? "error", message }));
};

const tell = (textarea, findings) => {
  const list = document.getElementById(textarea.dataset.findings);
  if (!list) return;
  list.replaceChildren(
    ...findings.map(({ message, policy }) => {
      const item = document.createElement("li");
      item.textContent = policy ? `${policy}: ${message}` : message;
      return item;
    }),
  );
};

const open = (textarea) => {
  const label = document.querySelector(`label[for="${textarea.id}"]`);
  const extensions = [
    basicSetup,
    cedar,
    syntaxHighlighting(colours),
    EditorView.cspNonce.of(textarea.dataset.nonce ?? ""),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": label?.textContent.trim() ?? "Cedar", tabindex: "0" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) textarea.value = update.state.doc.toString();
    }),
    EditorState.readOnly.of(textarea.readOnly),
  ];
  if (textarea.dataset.validate) extensions.push(lintGutter(), linter(judge(textarea), { delay: DELAY }));
  const view = new EditorView({ doc: textarea.value, extensions });
  view.dom.classList.add("cedar-editor");
  textarea.after(view.dom);
  textarea.hidden = true;
  label?.addEventListener("click", () => view.focus());
};

document.querySelectorAll("textarea[data-cedar]").forEach(open);
