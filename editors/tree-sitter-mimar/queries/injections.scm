((comment) @injection.content
  (#set! injection.language "comment"))

((doc_comment) @injection.content
  (#set! injection.language "comment"))

; What a `pattern` holds is a regular expression.
(pattern
  (string (string_content) @injection.content)
  (#set! injection.language "regex"))
