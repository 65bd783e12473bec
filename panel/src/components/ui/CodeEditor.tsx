import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { LANGUAGES } from "./languages";

export interface CodeEditorProps {
  value: string;
  change: (text: string) => void;
  language: keyof typeof LANGUAGES;
  labelledBy: string;
  describedBy?: string;
  readOnly?: boolean;
}

const COLOURS = HighlightStyle.define([
  { tag: tags.string, color: "light-dark(#11683f, #7fe0ac)" },
  { tag: tags.number, color: "light-dark(#8a3d00, #ffb86b)" },
  { tag: tags.keyword, color: "light-dark(#8226a8, #d9a6ff)" },
  { tag: tags.variableName, color: "light-dark(#1e4fae, #a3c4ff)" },
]);

/** CodeMirror holds the text while somebody types; a value from outside replaces it. Tab leaves, as in any field. */
export default function CodeEditor({ value, change, language, labelledBy, describedBy, readOnly = false }: CodeEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const tell = useRef(change);
  tell.current = change;

  useEffect(() => {
    const attributes = { "aria-labelledby": labelledBy, "aria-multiline": "true", ...(describedBy && { "aria-describedby": describedBy }) };
    const editor = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          StreamLanguage.define(LANGUAGES[language]),
          syntaxHighlighting(COLOURS),
          EditorView.lineWrapping,
          EditorState.readOnly.of(readOnly),
          EditorView.contentAttributes.of(attributes),
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
  }, [labelledBy, describedBy, language, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={place} className="cel" />;
}
