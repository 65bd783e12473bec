import type { StreamParser } from "@codemirror/language";

const STRING = /^(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/;

/** Colours for reading; what is right and wrong the server says. */
export const LANGUAGES = {
  json: {
    token(stream) {
      if (stream.match(/^"(?:[^"\\]|\\.)*"?(?=\s*:)/)) return "variableName";
      if (stream.match(STRING)) return "string";
      if (stream.match(NUMBER)) return "number";
      if (stream.match(/^(?:true|false|null)\b/)) return "keyword";
      stream.next();
      return null;
    },
  } satisfies StreamParser<unknown>,
  cel: {
    token(stream) {
      if (stream.match(STRING)) return "string";
      if (stream.match(/^\d+(\.\d+)?/)) return "number";
      if (stream.match(/^\b(true|false|null|in)\b/)) return "keyword";
      if (stream.match(/^\b(payload|event|user)\b/)) return "variableName";
      if (stream.match(/^[&|=!<>?:+\-*/%]+/)) return "operator";
      stream.next();
      return null;
    },
  } satisfies StreamParser<unknown>,
  /** Text, with colours inside `{{ … }}` and `{% … %}` alone; an inside may go on over several lines. */
  liquid: {
    startState: () => ({ inside: false }),
    token(stream, state) {
      if (!state.inside) {
        if (stream.match(/^\{[{%]-?/)) {
          state.inside = true;
          return "keyword";
        }
        stream.next();
        stream.eatWhile(/[^{]/);
        return null;
      }
      if (stream.match(/^-?[}%]\}/)) {
        state.inside = false;
        return "keyword";
      }
      if (stream.match(STRING)) return "string";
      if (stream.match(NUMBER)) return "number";
      if (stream.match(/^[A-Za-z_][\w.]*/)) return "variableName";
      stream.next();
      return null;
    },
  } satisfies StreamParser<{ inside: boolean }>,
};
