// What of Mimar one token ahead does not decide. Each rule is one of the parser's (crates/syntax/src/parser); the scanner
// keeps no state.

#include "tree_sitter/parser.h"

// Of the library only what tree-sitter's WebAssembly has: `strcmp`, and no `strchr`.
#include <string.h>

// In the order of `externals` in grammar.js.
enum Token {
  LABEL,
  RATE,
  NAME_BREAK,
  VALUE_BREAK,
  OPERAND_BREAK,
  END_OF_RETURN,
  CREATE_VALUE,
  RUN_VALUE,
  CALL_VALUE,
  DEPRECATED_FIELD,
  UNIQUE_GROUP,
  TO_FIELD,
  FIELD_COMMA,
  RECOVERY,
};

// No keyword that is looked for is as long; of a longer word only its beginning is kept.
#define LONGEST_WORD 16

// A word and what stands behind it.
typedef struct {
  char text[LONGEST_WORD + 1];
  // The first character of the next token, 0 at the end.
  int32_t next;
  // Whether the next token is on another line.
  bool next_starts_line;
  // Whether the next token is a colon, and not `:=`.
  bool is_label;
} Word;

static bool is_blank(int32_t character) {
  return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static bool is_digit(int32_t character) { return character >= '0' && character <= '9'; }

static bool starts_word(int32_t character) {
  return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') || character == '_';
}

static bool is_word(int32_t character) { return starts_word(character) || is_digit(character); }

static bool is_any(const char *text, const char *const *words) {
  for (; *words != NULL; words++) {
    if (strcmp(text, *words) == 0) return true;
  }
  return false;
}

static void advance(TSLexer *lexer) { lexer->advance(lexer, false); }

static void read_text(TSLexer *lexer, char *text) {
  unsigned length = 0;
  while (is_word(lexer->lookahead)) {
    if (length < LONGEST_WORD) text[length++] = (char)lexer->lookahead;
    advance(lexer);
  }
  text[length] = '\0';
}

// Passes over blanks and comments. Answers whether a line ended.
static bool pass_trivia(TSLexer *lexer) {
  bool ended = false;
  for (;;) {
    while (is_blank(lexer->lookahead)) {
      ended |= lexer->lookahead == '\n';
      advance(lexer);
    }
    if (lexer->lookahead != '/') return ended;
    advance(lexer);
    // A lone slash is no trivia; none of what is asked here begins with one.
    if (lexer->lookahead != '/') return ended;
    while (lexer->lookahead != '\n' && !lexer->eof(lexer)) advance(lexer);
  }
}

// Reads the word here. The token that is being scanned ends behind it, if `is_token`.
static Word read_word(TSLexer *lexer, bool is_token) {
  Word word;
  read_text(lexer, word.text);
  if (is_token) lexer->mark_end(lexer);
  word.next_starts_line = pass_trivia(lexer);
  word.next = lexer->eof(lexer) ? 0 : lexer->lookahead;
  word.is_label = false;
  if (word.next == ':') {
    advance(lexer);
    word.is_label = lexer->lookahead != '=';
  }
  return word;
}

static bool found(TSLexer *lexer, enum Token token) {
  lexer->result_symbol = (TSSymbol)token;
  return true;
}

// `40/s`; before a longer word the slash divides.
static bool scan_rate(TSLexer *lexer) {
  while (is_digit(lexer->lookahead) || lexer->lookahead == '_') advance(lexer);
  if (lexer->lookahead != '/') return false;
  advance(lexer);
  switch (lexer->lookahead) {
    case 's':
    case 'm':
    case 'h':
    case 'd':
    case 'w':
    case 'y':
      advance(lexer);
      break;
    default:
      return false;
  }
  if (is_word(lexer->lookahead)) return false;
  lexer->mark_end(lexer);
  return found(lexer, RATE);
}

// Whether what begins another line here is another element of the list.
static bool scan_break(TSLexer *lexer, const bool *valid) {
  static const char *const OPERATORS[] = {"and", "or", "in", "then", "else", "when", NULL};
  int32_t first = lexer->lookahead;
  if (starts_word(first)) {
    if (valid[NAME_BREAK]) return found(lexer, NAME_BREAK);
    Word word = read_word(lexer, false);
    if (valid[VALUE_BREAK]) {
      // A former name: `was` with a word behind it.
      bool is_was = strcmp(word.text, "was") == 0 && starts_word(word.next);
      return !is_was && found(lexer, VALUE_BREAK);
    }
    return (word.is_label || !is_any(word.text, OPERATORS)) && found(lexer, OPERAND_BREAK);
  }
  if (valid[NAME_BREAK]) return (is_digit(first) || first == '-') && found(lexer, NAME_BREAK);
  if (valid[VALUE_BREAK]) return false;
  if (first == '.') {
    advance(lexer);
    return lexer->lookahead != '.' && found(lexer, OPERAND_BREAK);
  }
  bool is_operand = is_digit(first) || first == '"' || first == '(' || first == '[';
  return is_operand && found(lexer, OPERAND_BREAK);
}

// Whether a `return` has no value: the body ends here, or the line begins another statement.
static bool scan_end_of_return(TSLexer *lexer, bool starts_line) {
  // Without `if`, which may begin a value.
  static const char *const STATEMENTS[] = {"let",  "require", "for", "create", "update", "delete",
                                           "emit", "run",     "call", "return", NULL};
  // Comments behind it belong to what follows, so that it ends in front of them.
  starts_line |= pass_trivia(lexer);
  if (lexer->eof(lexer) || lexer->lookahead == '}') return found(lexer, END_OF_RETURN);
  if (!starts_line || !starts_word(lexer->lookahead)) return false;
  char text[LONGEST_WORD + 1];
  read_text(lexer, text);
  return is_any(text, STATEMENTS) && found(lexer, END_OF_RETURN);
}

static bool scan_word(TSLexer *lexer, const bool *valid, bool starts_line) {
  Word word = read_word(lexer, true);
  if (valid[LABEL] && word.is_label) return found(lexer, LABEL);
  if (word.is_label) return false;
  if (valid[DEPRECATED_FIELD] && !starts_line && strcmp(word.text, "deprecated") == 0) {
    return found(lexer, DEPRECATED_FIELD);
  }
  if (valid[UNIQUE_GROUP] && word.next == '(' && strcmp(word.text, "unique") == 0) {
    return found(lexer, UNIQUE_GROUP);
  }
  if (valid[TO_FIELD] && strcmp(word.text, "to") == 0) {
    if (word.next == ',') return found(lexer, TO_FIELD);
    char text[LONGEST_WORD + 1];
    read_text(lexer, text);
    return strcmp(text, "to") == 0 && found(lexer, TO_FIELD);
  }
  if (!starts_line && !word.next_starts_line && starts_word(word.next)) {
    if (valid[CREATE_VALUE] && strcmp(word.text, "create") == 0) return found(lexer, CREATE_VALUE);
    if (valid[RUN_VALUE] && strcmp(word.text, "run") == 0) return found(lexer, RUN_VALUE);
    if (valid[CALL_VALUE] && strcmp(word.text, "call") == 0) return found(lexer, CALL_VALUE);
  }
  return false;
}

// A comma between two fields; behind the one before an action the next action begins.
static bool scan_field_comma(TSLexer *lexer) {
  static const char *const ACTIONS[] = {"read", "create", "update", "delete", NULL};
  advance(lexer);
  lexer->mark_end(lexer);
  pass_trivia(lexer);
  char text[LONGEST_WORD + 1];
  read_text(lexer, text);
  return !is_any(text, ACTIONS) && found(lexer, FIELD_COMMA);
}

bool tree_sitter_mimar_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  (void)payload;
  // Where the parser recovers, the tokens of grammar.js have to do: an empty token would not bring it on.
  if (valid[RECOVERY]) return false;

  // An empty token ends here, so that no node has blanks at its end.
  lexer->mark_end(lexer);
  // A comment before the token is an extra of its own, and behind it a line ends.
  bool starts_line = false;
  while (is_blank(lexer->lookahead)) {
    starts_line |= lexer->lookahead == '\n';
    lexer->advance(lexer, true);
  }

  if (starts_line && (valid[NAME_BREAK] || valid[VALUE_BREAK] || valid[OPERAND_BREAK])) {
    return scan_break(lexer, valid);
  }
  bool may_end = starts_line || lexer->eof(lexer) || lexer->lookahead == '}' || lexer->lookahead == '/';
  if (valid[END_OF_RETURN] && may_end) {
    return scan_end_of_return(lexer, starts_line);
  }
  if (starts_word(lexer->lookahead)) return scan_word(lexer, valid, starts_line);
  if (valid[RATE] && is_digit(lexer->lookahead)) return scan_rate(lexer);
  if (valid[FIELD_COMMA] && lexer->lookahead == ',') return scan_field_comma(lexer);
  return false;
}

void *tree_sitter_mimar_external_scanner_create(void) { return NULL; }

void tree_sitter_mimar_external_scanner_destroy(void *payload) { (void)payload; }

unsigned tree_sitter_mimar_external_scanner_serialize(void *payload, char *buffer) {
  (void)payload;
  (void)buffer;
  return 0;
}

void tree_sitter_mimar_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  (void)payload;
  (void)buffer;
  (void)length;
}
