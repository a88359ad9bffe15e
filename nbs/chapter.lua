-- The line at the top of a chapter: how long it takes, what it needs, and where to run it.
-- What it says of a chapter stands in _quarto.yml, under `chapters`.

local repo = "https://github.com/cifar-course/cifar_course"
local colab = "https://colab.research.google.com/github/cifar-course/cifar_course/blob/main/nbs/"
local raw = "https://raw.githubusercontent.com/cifar-course/cifar_course/main/nbs/"
local install = "%pip install -q git+" .. repo .. " optuna"

-- "05_optimizers" of a chapter's path, nil of any other page's
local function chapter_name()
  local path = quarto.doc.input_file or ""
  return path:match("([^/\\]+)%.ipynb$") or path:match("([^/\\]+)%.quarto_ipynb$")
end

local function text(...)
  return pandoc.Str(table.concat({ ... }))
end

local function line_of(name, about)
  local file = name .. ".ipynb"
  return pandoc.Inlines({
    text(pandoc.utils.stringify(about.minutes), " minutes · needs "),
    text(pandoc.utils.stringify(about.needs), " · "),
    pandoc.Link("Open in Colab", colab .. file),
    text(" (run "), pandoc.Code(install), text(" there first) · "),
    pandoc.Link("Download the notebook", raw .. file, "", { download = file }),
  })
end

function Pandoc(doc)
  local chapters = doc.meta.chapters
  local name = chapter_name()
  if not chapters or not name or not chapters[name] then return nil end
  local line = pandoc.Div({ pandoc.Para(line_of(name, chapters[name])) }, { class = "chapter-line" })
  doc.blocks:insert(1, line)
  return doc
end
