import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

interface Props {
  value: string;
  change: (cel: string) => void;
  labelledBy: string;
}

const CEL = StreamLanguage.define<object>({
  token(stream) {
    if (stream.match(/"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/)) return "string";
    if (stream.match(/\d+(\.\d+)?/)) return "number";
    if (stream.match(/\b(true|false|null|in)\b/)) return "keyword";
    if (stream.match(/\b(payload|event|user)\b/)) return "variableName";
    if (stream.match(/[&|=!<>?:+\-*/%]+/)) return "operator";
    stream.next();
    return null;
  },
});

const COLOURS = HighlightStyle.define([
  { tag: tags.string, color: "light-dark(#11683f, #7fe0ac)" },
  { tag: tags.number, color: "light-dark(#8a3d00, #ffb86b)" },
  { tag: tags.keyword, color: "light-dark(#8226a8, #d9a6ff)" },
  { tag: tags.variableName, color: "light-dark(#1e4fae, #a3c4ff)" },
]);

/** CodeMirror holds the text while somebody types; a value from outside replaces it. Tab leaves, as in any field. */
export default function CelEditor({ value, change, labelledBy }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const tell = useRef(change);
  tell.current = change;

  useEffect(() => {
    const editor = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          CEL,
          syntaxHighlighting(COLOURS),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-labelledby": labelledBy, "aria-multiline": "true" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
    // The text it begins with; later ones come in below.
    // oxlint-disable-next-line exhaustive-deps
  }, [labelledBy]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={place} className="cel" />;
}
