[line_length: 110, inputs: ["{mix,.formatter}.exs", "{config,lib,test}/**/*.{ex,exs}"]]
